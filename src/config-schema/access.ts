import { group } from '../config-variables.ts'

const tokens = group('Tokens and cookies')
const passwords = group('Passwords and lockout')
const limits = group('Rate limits')
const accounts = group('Accounts')
const admin = group('First administrator')
const apiKeys = group('API keys')
const audit = group('Audit')
const metrics = group('Metrics')

const MAX_CALLS = 1_000_000_000

/** Who may do what and how often, and how that is proved and watched. */
export const access = {
  APP_KEYS: tokens.optional('Own keys, `kid:base64url(≥ 32 bytes),…`: the first signs, all verify', { secret: true }),
  ENCRYPTION_KEYS: tokens.optional(
    'Keys of encrypted fields, written like APP_KEYS: the first encrypts, all decrypt; default derived from APP_KEYS',
    { secret: true }
  ),
  JWT_ALGORITHM: tokens.choice(
    'How access tokens are signed: with a secret, or with a private key whose public half is at `/.well-known/jwks.json`',
    ['HS256', 'EdDSA', 'ES256', 'RS256'],
    'HS256'
  ),
  JWT_SECRET: tokens.optional('The simple case for HS256: the secret of access tokens, at least 32 bytes', {
    secret: true,
    minLength: 32
  }),
  JWT_KEYS: tokens.optional(
    'Instead of JWT_SECRET: keys of access tokens, `kid:algorithm:base64,…` of secrets (HS256) or private keys in PKCS #8; the first signs, all verify',
    { secret: true }
  ),
  JWT_ISSUER: tokens.text('`iss` of access tokens', { default: 'plinth', minLength: 1 }),
  JWT_AUDIENCE: tokens.text('`aud` of access tokens', { default: 'plinth-api', minLength: 1 }),
  ACCESS_TOKEN_MINUTES: tokens.integer('Life of an access token', 1, 1440, { default: 15, unit: 'min' }),
  REFRESH_TOKEN_DAYS: tokens.integer('Session ends after this long without use', 1, 365, { default: 30, unit: 'days' }),
  SESSION_MAX_DAYS: tokens.integer('Session ends after this long in any case', 1, 3650, { default: 90, unit: 'days' }),
  SESSION_MAX_PER_USER: tokens.integer('Live sessions of a user; a further sign-in ends the least used', 1, 1000, {
    default: 100
  }),
  REFRESH_REUSE_GRACE_SECONDS: tokens.integer('Time in which a used refresh token gives the same successor', 0, 300, {
    default: 10,
    unit: 's'
  }),
  COOKIE_SECURE: tokens.optionalFlag('`Secure` on the refresh cookie; default: everywhere but in `local`'),
  COOKIE_SAMESITE: tokens.choice('`SameSite` of the refresh cookie', ['lax', 'strict', 'none'], 'lax'),

  ARGON2_MEMORY_KIB: passwords.integer('Memory of one argon2id hash', 8, 4_194_304, { default: 19_456, unit: 'KiB' }),
  ARGON2_TIME_COST: passwords.integer('Passes of one argon2id hash', 1, 100, { default: 2 }),
  ARGON2_PARALLELISM: passwords.integer('Lanes of one argon2id hash', 1, 16, { default: 1 }),
  ARGON2_CONCURRENCY: passwords.integer('Hashes at once', 1, 128, { default: 2 }),
  ARGON2_QUEUE: passwords.integer('Hashes that may wait; beyond 503', 0, 10_000, { default: 64 }),
  PASSWORD_MIN_LENGTH: passwords.integer('Shortest password', 8, 128, { default: 8, unit: 'characters' }),
  PASSWORD_REQUIRE_CLASSES: passwords.flag('Ask for upper case, lower case and a digit', false),
  MAX_FAILED_ATTEMPTS: passwords.integer('Failed proofs that lock a client address out, see plugins/lockout', 1, 1000, {
    default: 5
  }),
  LOCKOUT_DURATION_SECONDS: passwords.integer('How long it is locked out, and how long a failure counts', 1, 604_800, {
    default: 900,
    unit: 's'
  }),

  RATE_LIMIT_PER_HOUR: limits.integer('Calls of one address an hour, whoever calls', 1, MAX_CALLS, { default: 10_000 }),
  USER_RATE_LIMIT_PER_HOUR: limits.integer('Calls of one user an hour', 1, MAX_CALLS, { default: 5000 }),
  RATE_LIMIT_UNPROTECTED_ROUTES: limits.integer(
    'Calls of one address a minute on each public route, such as sign-in, and on unknown ones',
    1,
    MAX_CALLS,
    { default: 30 }
  ),
  READ_RATE_LIMIT_PER_MINUTE: limits.integer(
    "Reads of one user a minute on each of the sample resources' services",
    1,
    MAX_CALLS,
    { default: 300 }
  ),
  WRITE_RATE_LIMIT_PER_MINUTE: limits.integer(
    "Writes of one user a minute on each of the sample resources' services",
    1,
    MAX_CALLS,
    { default: 60 }
  ),
  DEFAULT_RATE_LIMIT_LIMIT: limits.integer(
    'Calls on a limited route for which the tier of the user has no rule',
    1,
    MAX_CALLS,
    { default: 10 }
  ),
  DEFAULT_RATE_LIMIT_PERIOD: limits.integer('Time in which DEFAULT_RATE_LIMIT_LIMIT calls may be made', 1, 31_536_000, {
    default: 3600,
    unit: 's'
  }),

  DEFAULT_USER_ROLE: accounts.text('Role of everybody who registers', {
    default: 'user',
    pattern: '^[a-z][a-z0-9_-]{0,49}$'
  }),
  DEFAULT_TIER: accounts.text('Tier of everybody who registers', { default: 'free', minLength: 1 }),
  REQUIRE_EMAIL_VERIFICATION: accounts.flag('Nobody signs in before their e-mail address is verified', false),

  ADMIN_EMAIL: admin.optional('E-mail of the first administrator, created once at start', { format: 'email' }),
  ADMIN_USERNAME: admin.optional('Username of the first administrator'),
  ADMIN_PASSWORD: admin.optional('Password of the first administrator', { secret: true, minLength: 8 }),

  API_KEY_PREFIX: apiKeys.text('What every API key begins with', { default: 'pl', pattern: '^[a-z0-9]{2,10}$' }),
  API_KEY_DEFAULT_DAYS: apiKeys.integer('Life of an API key unless its owner says otherwise', 1, 36_500, {
    default: 30,
    unit: 'days'
  }),
  API_KEY_MAX_DAYS: apiKeys.integer('Longest life of an API key', 1, 36_500, { default: 365, unit: 'days' }),

  AUDIT_RETENTION_DAYS: audit.integer('Audit events older than this are deleted', 30, 3650, {
    default: 365,
    unit: 'days'
  }),

  METRICS_TOKEN: metrics.optional('Bearer token for `/metrics`; without it only loopback may read', {
    secret: true,
    minLength: 16
  })
}
