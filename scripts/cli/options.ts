import { parseArgs } from 'node:util'

/** Every option of every command; a command names the ones it takes. */
export const options = {
  demo: { type: 'boolean', help: 'add the demo users (ENVIRONMENT=local only)' },
  users: { type: 'string', help: 'add this many users, who cannot sign in' },
  items: { type: 'string', help: 'add this many items of existing users' },
  email: { type: 'string', help: 'e-mail address' },
  username: { type: 'string', help: '3 to 30 of a–z, 0–9, "_", "." and "-"' },
  name: { type: 'string', help: 'name of the person, the tier or the key' },
  'password-stdin': { type: 'boolean', help: 'read the password from standard input instead of asking' },
  admin: { type: 'boolean', help: 'make the user an administrator' },
  days: { type: 'string', help: 'life of the key in days (default API_KEY_DEFAULT_DAYS)' },
  scopes: { type: 'string', help: 'permissions of the key, comma separated (default all of the user)' },
  limit: { type: 'string', help: 'show at most this many (default 100)' },
  'app-keys': { type: 'boolean', help: 'APP_KEYS (refresh tokens, cursors) instead of JWT_KEYS' },
  algorithm: { type: 'string', help: 'HS256, EdDSA, ES256 or RS256 (default JWT_ALGORITHM)' },
  stage: { type: 'boolean', help: 'add the new key last: it verifies and does not sign yet' },
  promote: { type: 'boolean', help: 'make no key; the last one becomes the first and signs' },
  prune: { type: 'boolean', help: 'make no key; drop all but the first' },
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', short: 'h', help: 'show this text' }
} as const

export type OptionName = keyof typeof options
export type Values = ReturnType<typeof parse>['values']

/** @throws on an option that no command has */
export function parse(args: string[]) {
  return parseArgs({ args, options, allowPositionals: true })
}
