import { loadConfig, readEnvironment, type Settings } from '../../src/config.ts'
import { generateJwtKey, type JwtAlgorithm, jwtEntries, jwtKeys } from '../../src/jwt-keys.ts'
import { generateAppKey } from '../../src/keys.ts'
import { rewriteSecrets, type Secrets, withLocalSecrets } from '../../src/secrets.ts'
import { UsageError } from '../main.ts'
import type { Values } from './options.ts'

/**
 * Changes `JWT_KEYS`, or `APP_KEYS`. Generated keys of a local service are changed in their file; for keys of the
 * environment `text` is what to set, and nothing is changed here.
 */
export function rotateKeys(values: Values): { data: object; text: string; explanation: string } {
  const env = readEnvironment()
  // As `local`, so that neither servers nor keys are asked for: this makes the first keys too.
  const config = loadConfig({ ...env, ENVIRONMENT: 'local', HOST: undefined })
  const name = values['app-keys'] ? 'APP_KEYS' : 'JWT_KEYS'
  const action = readAction(values)
  const algorithm = readAlgorithm(values, config)
  const createKey = name === 'APP_KEYS' ? generateAppKey : () => generateJwtKey(algorithm)
  const change = (secrets: Partial<Secrets>) => actions[action](entriesOf(name, secrets), createKey).join()
  const explanation = explain(action, name, config)

  const isSet = entriesOf(name, config).length > 0
  if (!isSet && (env.ENVIRONMENT || 'local') === 'local') {
    if (algorithm !== config.JWT_ALGORITHM) throw new UsageError('Set JWT_ALGORITHM; the next start makes its key')
    withLocalSecrets(config)
    rewriteSecrets(config.DATA_DIR, ({ APP_KEYS, ...jwt }) =>
      name === 'APP_KEYS' ? { ...jwt, APP_KEYS: change({ APP_KEYS }) } : { APP_KEYS, JWT_KEYS: change(jwt) }
    )
    const file = `${config.DATA_DIR}/secrets.json`
    return { data: { action, file }, text: `${file} has changed; restart the service`, explanation }
  }

  if (!isSet && (action === 'promote' || action === 'prune')) throw new Error(`${name} has no key yet`)
  const keys = change(config)
  const variables = name === 'APP_KEYS' ? { APP_KEYS: keys } : jwtVariables(keys, config)
  const text = Object.entries(variables).map((variable) => variable.join('='))
  return { data: { action, variables }, text: text.join('\n'), explanation }
}

type Action = 'rotate' | 'stage' | 'promote' | 'prune'
type Name = 'APP_KEYS' | 'JWT_KEYS'

const actions: Record<Action, (keys: string[], createKey: () => string) => string[]> = {
  rotate: (keys, createKey) => [createKey(), ...keys],
  stage: (keys, createKey) => [...keys, createKey()],
  promote: (keys) => [...keys.slice(-1), ...keys.slice(0, -1)],
  prune: (keys) => keys.slice(0, 1)
}

function readAction(values: Values): Action {
  const [action = 'rotate', second] = (['stage', 'promote', 'prune'] as const).filter((name) => values[name])
  if (second !== undefined) throw new UsageError(`--${action} and --${second} exclude each other`)
  return action
}

function readAlgorithm({ algorithm, 'app-keys': isAppKeys }: Values, config: Settings): JwtAlgorithm {
  if (algorithm === undefined) return config.JWT_ALGORITHM
  const known = (['HS256', 'EdDSA', 'ES256', 'RS256'] as const).find((name) => name === algorithm)
  if (known === undefined || isAppKeys)
    throw new UsageError('--algorithm takes HS256, EdDSA, ES256 or RS256, of JWT_KEYS')
  return known
}

const entriesOf = (name: Name, secrets: Partial<Secrets>) =>
  name === 'JWT_KEYS' ? jwtEntries(secrets) : (secrets.APP_KEYS?.split(',') ?? [])

/** What has to be set together: `JWT_SECRET` has become one of the keys, and the first of them names the algorithm. */
function jwtVariables(keys: string, { JWT_ALGORITHM, JWT_SECRET }: Settings): Record<string, string> {
  const signing = jwtKeys({ JWT_KEYS: keys })[0]?.algorithm ?? JWT_ALGORITHM
  return {
    JWT_KEYS: keys,
    ...(signing !== JWT_ALGORITHM && { JWT_ALGORITHM: signing }),
    ...(JWT_SECRET !== undefined && { JWT_SECRET: '' })
  }
}

function explain(action: Action, name: Name, config: Settings): string {
  const keep =
    name === 'APP_KEYS'
      ? `${config.REFRESH_TOKEN_DAYS} days (REFRESH_TOKEN_DAYS)`
      : `${config.ACCESS_TOKEN_MINUTES} minutes (ACCESS_TOKEN_MINUTES)`
  const derived =
    name === 'APP_KEYS' && config.ENCRYPTION_KEYS === undefined
      ? '\nWhat was encrypted while there were no ENCRYPTION_KEYS needs the old key for as long as it is kept.'
      : ''
  const next = `Keep the others until ${keep} after the last process was restarted, then drop them with --prune.${derived}`
  return {
    rotate: `The new key signs, the others verify. ${next}\nWhere processes restart one by one, --stage it first.`,
    stage: 'The new key verifies and does not sign yet. When every process was restarted with it, --promote it.',
    promote: `The last key has become the first and signs, the others verify. ${next}`,
    prune: `Only the first key is left; what others have signed is refused.${derived}`
  }[action]
}
