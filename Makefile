# Everything here is one npm script or one call of docker compose; `make help` lists it.
.DEFAULT_GOAL := help
COMPOSE := docker compose
NEW_SECRET := openssl rand -hex 32

.PHONY: help setup env run dev worker test test-services test-full check coverage lint format openapi bench \
	db-init db-migrate db-rollback db-status db-seed db-reset superuser resource \
	docker-build docker-up docker-down docker-logs docker-migrate docker-tools docker-clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^## / { printf "\n\033[1m%s\033[0m\n", substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Develop
setup: ## Install what package-lock.json names
	npm ci
env: .env ## Write .env with fresh secrets, unless it is there
run: ## Run the service; without any environment on the embedded database
	npm start
dev: ## The same, restarted on changes
	npm run dev
worker: ## Background work on PostgreSQL
	npm run worker
resource: ## Write a resource: make resource ARGS="note title:string done:boolean"
	npm run new:resource -- $(ARGS)

## Check
test: ## The suite, embedded
	npm test
test-services: ## The suite on PostgreSQL and Redis
	npm test -- --mode services
test-full: ## Everything, also what takes long or breaks servers
	npm run test:full
check: ## What CI runs
	npm run check
coverage: ## The suite with a coverage report
	npm run coverage
lint: ## Format, lint and types, without changing anything
	npm run lint && npm run typecheck
format: ## Settle the layout
	npm run format
openapi: ## Write openapi.json and docs/schema.md
	npm run openapi && npm run schema-docs
bench: ## Compare with bare Fastify
	npm run bench

## Database
db-init: ## Migrate and seed
	npm run cli -- init-db
db-migrate: ## Apply what is pending
	npm run migrate -- up
db-rollback: ## Take the last migration back
	npm run migrate -- down
db-status: ## Every migration and when it was applied
	npm run migrate -- status
db-seed: ## Add rows: make db-seed ARGS="--users 10000 --items 1000000"
	npm run seed -- $(ARGS)
db-reset: ## Take every migration back, and apply all: all data is lost
	npm run migrate -- down all && npm run migrate -- up
superuser: ## Create an administrator
	npm run cli -- create-superuser

## Containers
docker-build: ## Build the image
	$(COMPOSE) build
docker-up: .env ## Start nginx, API, worker, PostgreSQL and Redis
	$(COMPOSE) up --build --detach --wait
docker-tools: .env ## Start pgAdmin and the mail catcher too
	$(COMPOSE) --profile pgadmin --profile mail up --detach --wait
docker-migrate: .env ## Apply what is pending
	$(COMPOSE) run --rm migrate
docker-logs: ## Follow the logs
	$(COMPOSE) logs --follow --tail 100
docker-down: ## Stop everything, keep the data
	$(COMPOSE) --profile pgadmin --profile mail down
docker-clean: ## Stop everything and delete the data
	$(COMPOSE) --profile pgadmin --profile mail down --volumes

.env:
	@umask 077 && { \
		echo "JWT_SECRET=$$($(NEW_SECRET))"; \
		echo "APP_KEYS=k1:$$($(NEW_SECRET))"; \
		echo "OWNER_DB_PASSWORD=$$($(NEW_SECRET))"; \
		echo "APP_DB_PASSWORD=$$($(NEW_SECRET))"; \
	} > .env && echo '.env written'
