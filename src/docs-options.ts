import type { FastifyInstance } from 'fastify'
import { findUserByIdentifier, normalizeIdentifier } from '../db/users.ts'
import type { DocsAccess, DocsOptions } from '../plugins/docs/index.ts'
import type { Config } from './config.ts'

export const docsOptions = (config: Config, app: FastifyInstance): DocsOptions => ({
  access: docsAccess(config, app),
  info: {
    title: config.APP_NAME,
    version: config.APP_VERSION,
    description: config.APP_DESCRIPTION,
    license: { name: config.LICENSE_NAME },
    ...((config.CONTACT_NAME || config.CONTACT_EMAIL) && {
      contact: {
        ...(config.CONTACT_NAME && { name: config.CONTACT_NAME }),
        ...(config.CONTACT_EMAIL && { email: config.CONTACT_EMAIL })
      }
    })
  },
  servers: [{ url: config.PUBLIC_URL ?? '/' }],
  tags: [
    { name: 'auth', description: 'Registering, signing in and out, tokens' },
    { name: 'users', description: 'Accounts' },
    { name: 'roles', description: 'Roles and what they permit' },
    { name: 'tiers', description: 'Classes of users and their rate limits' },
    { name: 'rate-limits', description: 'What remains to the caller' },
    { name: 'audit', description: 'What happened, and who did it' },
    { name: 'api-keys', description: 'Credentials for programs' },
    { name: 'todos', description: 'Private lists of things to do' },
    { name: 'posts', description: 'What users publish' },
    { name: 'items', description: 'A catalogue: drafts, search, long lists' },
    { name: 'tasks', description: 'Work that is done in the background' },
    { name: 'cache', description: 'Answers that are kept' },
    { name: 'service', description: 'What this service is' },
    { name: 'health', description: 'Whether it runs and can take traffic' },
    { name: 'metrics', description: 'Figures for monitoring' }
  ],
  securitySchemes: {
    bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    apiKeyAuth: { type: 'apiKey', in: 'header', name: 'X-API-Key' }
  },
  tokenUrl: '/api/v1/auth/token'
})

/** Open on the developer's machine, for administrators (HTTP Basic) in staging, absent in production. */
function docsAccess(config: Config, app: FastifyInstance): DocsAccess {
  if (config.ENVIRONMENT === 'local') return 'open'
  if (config.ENVIRONMENT === 'production') return 'closed'
  return {
    async check(username, password, request) {
      const user = await app.lockout.attempt(request, normalizeIdentifier(username), async () => {
        const found = await findUserByIdentifier(app.db, username)
        const { valid } = await app.passwords.verify(found?.password_hash ?? null, password)
        if (found && valid) return found
        const account = found ?? { identifier: username }
        await app.audit.recordFailure(app.db, { action: 'sign_in.failed', account, request })
        return null
      })
      const isVerified = user?.is_verified || !config.REQUIRE_EMAIL_VERIFICATION
      return user?.is_active === true && isVerified && user.is_admin
    }
  }
}
