import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, Settings } from './config.ts'
import { generateJwtKey, type JwtAlgorithm, jwtEntries, jwtKeys, parseJwtKeys } from './jwt-keys.ts'
import { generateAppKey } from './keys.ts'

/** What is kept: `JWT_KEYS`, or in the simple case `JWT_SECRET`. */
export type Secrets = Pick<Config, 'APP_KEYS' | 'JWT_KEYS' | 'JWT_SECRET'>

/**
 * Completes the secrets of a local service with generated ones that are kept in `<DATA_DIR>/secrets.json` (mode 0600).
 * Outside `local` the configuration was refused without them, so nothing is generated there.
 */
export function withLocalSecrets(config: Settings): Config {
  const { APP_KEYS } = config
  const hasJwtKeys = jwtEntries(config).length > 0
  if (APP_KEYS !== undefined && hasJwtKeys) return { ...config, APP_KEYS }
  if (config.ENVIRONMENT !== 'local') throw new Error('APP_KEYS and JWT_SECRET or JWT_KEYS are required')
  const { APP_KEYS: appKeys, ...kept } = keptSecrets(config.DATA_DIR, config.JWT_ALGORITHM, !hasJwtKeys)
  return Object.freeze({ ...config, APP_KEYS: APP_KEYS ?? appKeys, ...(!hasJwtKeys && kept) })
}

/** Fresh random secrets. */
export function generateSecrets(): { APP_KEYS: string; JWT_SECRET: string } {
  return { APP_KEYS: generateAppKey(), JWT_SECRET: randomBytes(48).toString('base64url') }
}

/**
 * Changes what is kept, in one step for whoever reads it.
 *
 * @throws while another process does the same
 */
export function rewriteSecrets(folder: string, change: (secrets: Secrets) => Secrets): Secrets {
  const file = join(folder, 'secrets.json')
  const next = `${file}.next`
  try {
    // Made before the file is read, so that of two processes the second cannot undo what the first has changed.
    writeFileSync(next, '', { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new Error(`${next} exists: another process is changing the secrets; if none is, delete it`)
  }
  try {
    const kept = read(file)
    if (kept === undefined) throw new Error(`${file} is gone`)
    const changed = change(kept)
    writeFileSync(next, serialize(changed), { flush: true })
    renameSync(next, file)
    return changed
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
}

function keptSecrets(folder: string, algorithm: JwtAlgorithm, needsJwtKeys: boolean): Secrets {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const file = join(folder, 'secrets.json')
  const kept = read(file) ?? create(file, algorithm)
  if (!needsJwtKeys || jwtKeys(kept)[0]?.algorithm === algorithm) return kept
  // JWT_ALGORITHM was changed; what the old key has signed stays good.
  return rewriteSecrets(folder, ({ APP_KEYS, ...jwt }) => ({
    APP_KEYS,
    JWT_KEYS: [generateJwtKey(algorithm), ...jwtEntries(jwt)].join()
  }))
}

function read(file: string): Secrets | undefined {
  try {
    const { APP_KEYS, JWT_KEYS, JWT_SECRET } = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof APP_KEYS === 'string' && typeof JWT_SECRET === 'string') return { APP_KEYS, JWT_SECRET }
    if (typeof APP_KEYS === 'string' && !parseJwtKeys(String(JWT_KEYS)).problem) return { APP_KEYS, JWT_KEYS }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  }
  throw new Error(`${file} is damaged; delete it to make new secrets (everybody is signed out)`)
}

function create(file: string, algorithm: JwtAlgorithm): Secrets {
  const draft = `${file}.${process.pid}`
  const { APP_KEYS, JWT_SECRET } = generateSecrets()
  const jwt = algorithm === 'HS256' ? { JWT_SECRET } : { JWT_KEYS: generateJwtKey(algorithm) }
  writeFileSync(draft, serialize({ APP_KEYS, ...jwt }), { mode: 0o600, flag: 'wx' })
  try {
    // A link, unlike a rename, never replaces the file of a process that started at the same moment.
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  const kept = read(file)
  if (kept === undefined) throw new Error(`${file} could not be written`)
  return kept
}

const serialize = (secrets: Secrets) => `${JSON.stringify(secrets, null, 2)}\n`
