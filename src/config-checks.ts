import { isIP } from 'node:net'
import { normalizeUsername } from '../db/users.ts'
import type { ConfigValues, VariableName } from './config-schema.ts'
import { checkKeys } from './key-checks.ts'

export type Report = (name: VariableName, problem: string) => void

/** What no variable's own schema can tell: what the environment asks for, and what contradicts each other. */
export function checkTogether(config: ConfigValues, report: Report): void {
  const local = config.ENVIRONMENT === 'local'
  if (!local) {
    if (!config.DATABASE_URL && !config.DB_HOST) report('DATABASE_URL', 'is required outside ENVIRONMENT=local')
    if (config.ARGON2_MEMORY_KIB < 7168) report('ARGON2_MEMORY_KIB', 'must be at least 7168 outside ENVIRONMENT=local')
  }
  checkKeys(config, report)
  if (local && config.HOST && !['127.0.0.1', '::1'].includes(config.HOST)) {
    report('HOST', 'must be 127.0.0.1 or ::1 while ENVIRONMENT=local, which has demo users and open docs')
  }
  if (config.DATABASE_URL && config.DB_HOST) report('DB_HOST', 'is set together with DATABASE_URL; use one')
  if (config.DB_HOST && !config.DB_NAME) report('DB_NAME', 'is required with DB_HOST')
  if (config.DB_HOST && !config.DB_USER) report('DB_USER', 'is required with DB_HOST')
  const redis = [config.REDIS_URL, config.REDIS_HOST, config.REDIS_CLUSTER_NODES?.[0]].filter(Boolean)
  if (redis.length > 1) report('REDIS_URL', 'REDIS_HOST and REDIS_CLUSTER_NODES exclude each other; use one')
  if (config.REDIS_URL && (config.REDIS_PASSWORD || config.REDIS_TLS)) {
    report('REDIS_URL', 'carries its own password and TLS (rediss://); REDIS_PASSWORD and REDIS_TLS are for REDIS_HOST')
  }
  if (config.ARGON2_MEMORY_KIB < 8 * config.ARGON2_PARALLELISM) {
    report('ARGON2_MEMORY_KIB', 'must be at least 8 for each of ARGON2_PARALLELISM')
  }
  if (config.ADMIN_USERNAME && normalizeUsername(config.ADMIN_USERNAME) === null) {
    report('ADMIN_USERNAME', 'must have 3 to 30 of a–z, 0–9, "_", "." and "-"')
  }
  if (config.COOKIE_SAMESITE === 'none' && !(config.COOKIE_SECURE ?? !local)) {
    report('COOKIE_SECURE', 'must be true with COOKIE_SAMESITE=none')
  }
  const admin = (['ADMIN_EMAIL', 'ADMIN_USERNAME', 'ADMIN_PASSWORD'] as const).filter((name) => config[name])
  if (admin.length === 1 || admin.length === 2) {
    report(admin[0] ?? 'ADMIN_EMAIL', 'needs all of ADMIN_EMAIL, ADMIN_USERNAME and ADMIN_PASSWORD')
  }
  if (!local) checkMail(config, report)
  if (config.DRAIN_SECONDS >= config.SHUTDOWN_GRACE_SECONDS) {
    report('DRAIN_SECONDS', 'must be less than SHUTDOWN_GRACE_SECONDS')
  }
  if (config.REFRESH_TOKEN_DAYS > config.SESSION_MAX_DAYS) {
    report('REFRESH_TOKEN_DAYS', 'must not exceed SESSION_MAX_DAYS')
  }
  if (config.API_KEY_DEFAULT_DAYS > config.API_KEY_MAX_DAYS) {
    report('API_KEY_DEFAULT_DAYS', 'must not exceed API_KEY_MAX_DAYS')
  }
  if (config.TRUST_PROXY !== undefined && !config.TRUST_PROXY.every(isAddressRange)) {
    report('TRUST_PROXY', 'must be a list of IP addresses, CIDR ranges, loopback, linklocal or uniquelocal')
  }
}

/** Mails hold links, whose host may come from nothing but the configuration. */
function checkMail(config: ConfigValues, report: Report): void {
  if (config.SMTP_URL && !config.PUBLIC_URL) report('PUBLIC_URL', 'is required with SMTP_URL: mails link to it')
  if (config.SMTP_URL && config.MAIL_FROM.endsWith('@localhost')) report('MAIL_FROM', 'is required with SMTP_URL')
  if (config.REQUIRE_EMAIL_VERIFICATION && !config.SMTP_URL) {
    report('SMTP_URL', 'is required with REQUIRE_EMAIL_VERIFICATION: nobody could sign in')
  }
}

function isAddressRange(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address = '', bits, ...rest] = text.split('/')
  const size = { 4: 32, 6: 128 }[isIP(address)]
  if (size === undefined || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= size)
}
