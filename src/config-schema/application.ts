import { group } from '../config-variables.ts'

const app = group('Application')
const server = group('Server')
const logs = group('Logging')

/** What the service is, where it listens and what it logs. */
export const application = {
  ENVIRONMENT: app.choice(
    'Where this runs. `local` listens on 127.0.0.1 only and may run embedded; the others need real servers and secrets',
    ['local', 'staging', 'production'],
    'local'
  ),
  APP_NAME: app.text('Name in the documentation, the banner and token issuers', { default: 'Plinth', minLength: 1 }),
  APP_DESCRIPTION: app.text('Description in the OpenAPI document', {
    default: 'Production-ready HTTP API on Fastify.'
  }),
  APP_VERSION: app.text('Version shown by `GET /`, the documentation and metrics', { default: '0.1.0' }),
  WELCOME_MESSAGE: app.text('Message of `GET /`', { default: 'Welcome to Plinth' }),
  CONTACT_NAME: app.optional('Contact in the OpenAPI document'),
  CONTACT_EMAIL: app.optional('Contact address in the OpenAPI document', { format: 'email' }),
  LICENSE_NAME: app.text('Licence in the OpenAPI document', { default: 'MIT' }),
  DATA_DIR: app.text('Folder of the embedded database and generated secrets', { default: '.data', minLength: 1 }),

  HOST: server.optional('Address to listen on; default 127.0.0.1 in `local`, else 0.0.0.0'),
  PORT: server.integer('Port to listen on; 0 takes a free one', 0, 65_535, { default: 3000 }),
  WORKER_PORT: server.integer('Port for the health and metrics of `npm run worker`', 0, 65_535, { default: 3001 }),
  PUBLIC_URL: server.optional('Address under which clients reach the service, without a trailing slash', {
    format: 'url'
  }),
  TRUST_PROXY: server.list(
    'Proxies whose `X-Forwarded-*` headers count: addresses, CIDR ranges or `loopback`; none by default',
    { pattern: '^[\\w.:/]+$', items: 'IP addresses, CIDR ranges, loopback, linklocal or uniquelocal' }
  ),
  ALLOWED_HOSTS: server.list('Accepted `Host` names (`*.example.com` for sub-domains); empty accepts any', {
    pattern: '^((\\*\\.)?[A-Za-z0-9][A-Za-z0-9.-]*|\\[[0-9A-Fa-f:.]+\\])$',
    items: 'host names without scheme or port'
  }),
  CORS_ORIGINS: server.list(
    'Origins that browsers may call from, exactly as in the `Origin` header; empty turns CORS off',
    {
      pattern: '^https?://[^/\\s*,]+$',
      items: 'origins such as https://app.example.com'
    }
  ),
  BODY_LIMIT_BYTES: server.integer('Largest accepted request body', 1024, 104_857_600, {
    default: 1_048_576,
    unit: 'bytes'
  }),
  REQUEST_TIMEOUT_MS: server.integer('Time to receive a whole request', 1000, 600_000, { default: 30_000, unit: 'ms' }),
  SHUTDOWN_GRACE_SECONDS: server.integer('Time a stop may take before it is forced', 1, 600, {
    default: 20,
    unit: 's'
  }),
  DRAIN_SECONDS: server.integer('Time between "not ready" and closing, for load balancers to notice', 0, 300, {
    default: 0,
    unit: 's'
  }),
  UV_THREADPOOL_SIZE: server.integer('Threads for password hashing and file access', 1, 128, { default: 4 }),

  LOG_LEVEL: logs.choice(
    'Least severe level that is logged',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info'
  ),
  LOG_FORMAT: logs.choice('`auto` is pretty in a terminal and JSON otherwise', ['auto', 'pretty', 'json'], 'auto'),
  LOG_FILE: logs.optional('File to log into instead of standard output (10 MB × 5, rotated)'),
  LOG_CALLER: logs.flag('Add the source file and line of the caller (pretty format only)', false)
}
