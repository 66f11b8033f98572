import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, Settings } from './config.ts'

type Secrets = Pick<Config, 'APP_KEYS' | 'JWT_SECRET'>

/**
 * Completes the secrets of a local service with generated ones that are kept in `<DATA_DIR>/secrets.json` (mode 0600).
 * Outside `local` the configuration was refused without them, so nothing is generated there.
 */
export function withLocalSecrets(config: Settings): Config {
  const { APP_KEYS, JWT_SECRET } = config
  if (APP_KEYS !== undefined && JWT_SECRET !== undefined) return { ...config, APP_KEYS, JWT_SECRET }
  if (config.ENVIRONMENT !== 'local') throw new Error('APP_KEYS and JWT_SECRET are required outside ENVIRONMENT=local')
  const kept = keptSecrets(config.DATA_DIR)
  return Object.freeze({ ...config, APP_KEYS: APP_KEYS ?? kept.APP_KEYS, JWT_SECRET: JWT_SECRET ?? kept.JWT_SECRET })
}

/** Fresh random secrets. */
export function generateSecrets(): Secrets {
  return { APP_KEYS: `k1:${randomBytes(32).toString('base64url')}`, JWT_SECRET: randomBytes(48).toString('base64url') }
}

function keptSecrets(folder: string): Secrets {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const file = join(folder, 'secrets.json')
  return read(file) ?? create(file)
}

function read(file: string): Secrets | undefined {
  try {
    const { APP_KEYS, JWT_SECRET } = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof APP_KEYS === 'string' && typeof JWT_SECRET === 'string') return { APP_KEYS, JWT_SECRET }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  }
  throw new Error(`${file} is damaged; delete it to make new secrets (everybody is signed out)`)
}

function create(file: string): Secrets {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(generateSecrets(), null, 2)}\n`, { mode: 0o600, flag: 'wx' })
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
