# syntax=docker/dockerfile:1

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Neither the tools nor the Node.js that the repository brings for other machines.
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24-slim
# In production the service refuses to start without real servers and secrets; nothing insecure works by accident.
ENV NODE_ENV=production ENVIRONMENT=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist .
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "scripts/health.js"]
# Node.js itself is process 1: it hears SIGTERM and stops gracefully. The other commands of this image:
# node src/worker.js · node scripts/migrate.js up · node scripts/seed.js · node scripts/cli.js --help
CMD ["node", "src/server.js"]
