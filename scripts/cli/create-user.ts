import { ensureAccount } from '../../db/seed.ts'
import { normalizeEmail, normalizeUsername } from '../../db/users.ts'
import { UsageError } from '../main.ts'
import { readConfig, withApp } from './context.ts'
import { ask, askHidden, readLine, type Terminal } from './prompt.ts'

export interface CreateUserOptions {
  email?: string | undefined
  username?: string | undefined
  name?: string | undefined
  'password-stdin'?: boolean | undefined
}

/**
 * Creates a user who may sign in at once. What the options do not say is asked for.
 *
 * @throws when the e-mail address or the username is taken, or the password is refused
 */
export async function createUser(options: CreateUserOptions, role: 'admin' | 'user', terminal: Terminal) {
  if (!terminal.input.isTTY && !(options.email && options.username && options['password-stdin'])) {
    throw new UsageError('Without a terminal, --email, --username and --password-stdin are needed')
  }
  const email = options.email ?? (await ask('E-mail', terminal))
  const username = options.username ?? (await ask('Username', terminal))
  if (email.length > 254 || (options.name?.length ?? 0) > 100) throw new Error('The e-mail address or name is too long')
  if (!/^[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+$/.test(email)) throw new Error('The e-mail address is not valid')
  const password = options['password-stdin'] ? await readLine(terminal.input) : await askTwice(terminal)

  const config = readConfig()
  const roleName = role === 'user' ? config.DEFAULT_USER_ROLE : role
  return withApp(async ({ database, passwords }) => {
    const problem = passwords.problem(password, { email, username })
    if (problem) throw new Error(problem)
    const names = { email: normalizeEmail(email), username: normalizeUsername(username) ?? username }
    const account = { ...names, name: options.name ?? null, password, role: roleName, tier: config.DEFAULT_TIER }
    if (!(await ensureAccount(database.transaction, passwords.hash, account))) {
      throw new Error('The e-mail address or the username is taken')
    }
    return { ...names, role: roleName }
  }, config)
}

async function askTwice(terminal: Terminal): Promise<string> {
  const password = await askHidden('Password', terminal)
  if ((await askHidden('Again', terminal)) !== password) throw new Error('The passwords differ')
  return password
}
