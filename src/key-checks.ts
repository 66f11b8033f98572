import type { Report } from './config-checks.ts'
import type { ConfigValues } from './config-schema.ts'
import { jwtEntries, parseJwtKeys } from './jwt-keys.ts'
import { isGuessable, parseAppKeys } from './keys.ts'

const REQUIRED = 'is required outside ENVIRONMENT=local'
const RANDOM = 'openssl rand -base64 48'

/** The keys of the service: fit for their algorithm, and outside `local` present and not to be guessed. */
export function checkKeys(config: ConfigValues, report: Report): void {
  const isLocal = config.ENVIRONMENT === 'local'
  checkJwtKeys(config, report, isLocal)
  if (config.APP_KEYS === undefined && !isLocal) report('APP_KEYS', `${REQUIRED} (k1:$(openssl rand -base64 32))`)
  for (const name of ['APP_KEYS', 'ENCRYPTION_KEYS'] as const) checkOwnKeys(name, config, report, isLocal)
}

function checkJwtKeys(config: ConfigValues, report: Report, isLocal: boolean) {
  const { JWT_ALGORITHM, JWT_KEYS, JWT_SECRET } = config
  const entries = jwtEntries(config)
  if (JWT_SECRET !== undefined && JWT_KEYS !== undefined) report('JWT_SECRET', 'is set together with JWT_KEYS; use one')
  if (entries.length === 0) {
    if (isLocal) return
    if (JWT_ALGORITHM === 'HS256') report('JWT_SECRET', `${REQUIRED}, or JWT_KEYS (${RANDOM})`)
    else report('JWT_KEYS', `${REQUIRED} for this JWT_ALGORITHM (npm run cli -- rotate-keys)`)
    return
  }
  const name = JWT_KEYS === undefined ? 'JWT_SECRET' : 'JWT_KEYS'
  const { keys, problem } = parseJwtKeys(entries.join())
  if (problem !== undefined) return report(name, problem)
  if (JWT_ALGORITHM !== undefined && keys[0]?.algorithm !== JWT_ALGORITHM) {
    report(name, JWT_KEYS === undefined ? 'is for HS256 only' : 'must begin with a key of JWT_ALGORITHM')
  }
  if (!isLocal && keys.some((key) => key.algorithm === 'HS256' && isGuessable(key.secret))) {
    report(name, `is too simple; use ${RANDOM}`)
  }
}

function checkOwnKeys(name: 'APP_KEYS' | 'ENCRYPTION_KEYS', config: ConfigValues, report: Report, isLocal: boolean) {
  const { [name]: text } = config
  if (text === undefined) return
  const { keys, problem } = parseAppKeys(text)
  if (problem !== undefined) return report(name, problem)
  if (!isLocal && keys.some(({ key }) => isGuessable(key))) report(name, 'is too simple; use openssl rand -base64 32')
}
