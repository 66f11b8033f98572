import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { parseEnv } from 'node:util'
import { FormatRegistry, type TSchema, TypeGuard } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { parseSender } from '../plugins/mail/address.ts'
import { parseSmtpUrl } from '../plugins/mail/smtp-url.ts'
import { checkTogether, type Report } from './config-checks.ts'
import { type ConfigValues, configSchema, type VariableName } from './config-schema.ts'
import type { VariableOptions } from './config-variables.ts'

/** The validated, frozen configuration. In `local` the keys may still be missing: `withLocalSecrets` completes them. */
export type Settings = Readonly<ConfigValues & { HOST: string; COOKIE_SECURE: boolean }>
export type Config = Settings & Readonly<{ APP_KEYS: string }>

type Environment = Record<string, string | undefined>

/** Every fault of the environment at once; `message` names variables and never shows a value. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The process's variables over those of `.env`, if that file exists. */
export function readEnvironment(file = '.env'): Environment {
  let fromFile: Environment = {}
  try {
    fromFile = parseEnv(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return { ...fromFile, ...process.env }
}

/** The thread pool reads its size from the environment when it starts, so this runs before any hashing. */
export function applyThreadPoolSize(config: Settings): void {
  process.env.UV_THREADPOOL_SIZE = String(config.UV_THREADPOOL_SIZE)
}

/**
 * Reads and checks all variables.
 * @throws ConfigError listing every problem by variable name
 */
export function loadConfig(env: Environment): Settings {
  const problems: string[] = []
  const reported = new Set<VariableName>()
  // What follows from a fault that is already told is not told again.
  const report: Report = (name, problem) => {
    if (!reported.has(name)) problems.push(`${name} ${problem}`)
    reported.add(name)
  }
  const values: Record<string, unknown> = {}

  for (const [name, schema] of variables()) {
    const text = readText(name, schema, env, report)
    const value = text === undefined ? schema.default : parse(text, schema)
    if (value === undefined) continue
    if (Value.Check(schema, value)) values[name] = value
    else report(name, expectation(schema))
  }

  // Every property was checked on its own schema above; missing optional ones stay undefined.
  const config = values as ConfigValues
  checkTogether(config, report)
  if (problems.length > 0) throw new ConfigError(problems)

  return Object.freeze({
    ...config,
    ...databaseUrl(config),
    ...redisUrl(config),
    HOST: config.HOST ?? (config.ENVIRONMENT === 'local' ? '127.0.0.1' : '0.0.0.0'),
    COOKIE_SECURE: config.COOKIE_SECURE ?? config.ENVIRONMENT !== 'local'
  })
}

function variables(): Array<[VariableName, TSchema & VariableOptions]> {
  // Object.entries forgets the keys; each schema was built with VariableOptions.
  return Object.entries(configSchema.properties) as Array<[VariableName, TSchema & VariableOptions]>
}

function readText(name: VariableName, schema: VariableOptions, env: Environment, report: Report): string | undefined {
  const text = env[name] || undefined
  const file = schema.secret ? env[`${name}_FILE`] || undefined : undefined
  if (file === undefined) return text
  if (text !== undefined) report(name, 'is set together with its _FILE variant; use one')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    report(name, 'cannot be read from the file named by its _FILE variant')
    return undefined
  }
}

function parse(text: string, schema: TSchema): unknown {
  if (TypeGuard.IsInteger(schema)) return /^-?\d{1,15}$/.test(text) ? Number(text) : text
  if (TypeGuard.IsBoolean(schema))
    return { true: true, '1': true, false: false, '0': false }[text.toLowerCase()] ?? text
  if (TypeGuard.IsArray(schema)) return items(text)
  return text
}

const items = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const FORMATS: Record<string, { hint: string; test: (text: string) => boolean }> = {
  email: { hint: 'must be an e-mail address', test: (text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text) },
  url: { hint: 'must be an http(s) URL without a trailing slash', test: isUrl('http:', 'https:') },
  'postgres-url': { hint: 'must be a postgres:// URL', test: isUrl('postgres:', 'postgresql:') },
  'smtp-url': { hint: 'must be smtp://user:password@host:port, or smtps:// for TLS', test: isSmtpUrl },
  'mail-sender': { hint: 'must be name@host or Name <name@host>', test: (text) => parseSender(text) !== null },
  'redis-url': {
    hint: 'must be redis://host:port/number, or rediss:// for TLS',
    test: (text) => isUrl('redis:', 'rediss:')(text) && /^(\/\d*)?$/.test(new URL(text).pathname)
  }
}
for (const [name, { test }] of Object.entries(FORMATS)) FormatRegistry.Set(name, test)

function isUrl(...protocols: string[]) {
  return (text: string) => {
    const url = URL.parse(text)
    if (url === null || url.host === '' || !protocols.includes(url.protocol)) return false
    return protocols[0] !== 'http:' || !/\/$|[?#]/.test(text)
  }
}

function isSmtpUrl(text: string): boolean {
  try {
    return parseSmtpUrl(text).host !== ''
  } catch {
    return false
  }
}

function expectation(schema: TSchema): string {
  if (TypeGuard.IsInteger(schema)) return `must be a whole number from ${schema.minimum} to ${schema.maximum}`
  if (TypeGuard.IsBoolean(schema)) return 'must be true or false'
  if (TypeGuard.IsArray(schema)) return `must be a list of ${schema.expected}`
  if (TypeGuard.IsUnion(schema)) return `must be one of ${schema.anyOf.map((option) => option.const).join(', ')}`
  if (schema.format) return FORMATS[schema.format]?.hint ?? `must be of the format ${schema.format}`
  if (schema.pattern) return `must match ${schema.pattern}`
  return `must have at least ${schema.minLength} characters`
}

function databaseUrl(config: ConfigValues): { DATABASE_URL?: string } {
  if (!config.DB_HOST) return {}
  const password = config.DB_PASSWORD ? `:${encodeURIComponent(config.DB_PASSWORD)}` : ''
  const user = `${encodeURIComponent(config.DB_USER ?? '')}${password}`
  return {
    DATABASE_URL: `postgres://${user}@${hostOf(config.DB_HOST)}:${config.DB_PORT}/${encodeURIComponent(config.DB_NAME ?? '')}`
  }
}

function redisUrl(config: ConfigValues): { REDIS_URL?: string } {
  if (!config.REDIS_HOST) return {}
  const password = config.REDIS_PASSWORD ? `:${encodeURIComponent(config.REDIS_PASSWORD)}@` : ''
  const scheme = config.REDIS_TLS ? 'rediss' : 'redis'
  return { REDIS_URL: `${scheme}://${password}${hostOf(config.REDIS_HOST)}:${config.REDIS_PORT}/${config.REDIS_DB}` }
}

/** IPv6 addresses stand in brackets in a URL (RFC 3986 §3.2.2). */
const hostOf = (host: string) => (isIPv6(host) ? `[${host}]` : host)
