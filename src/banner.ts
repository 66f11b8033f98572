import { demoUsers } from '../db/seed.ts'
import { hasDemoUsers } from './accounts.ts'
import type { Config } from './config.ts'

/** What somebody who just started the service wants to know: where it is, what it runs on, who may sign in. */
export function banner(config: Config, address: string): string {
  const lines = [
    `${config.APP_NAME} ${config.APP_VERSION}`,
    '',
    `API      ${address}/api/v1`,
    `Docs     ${address}/docs    ${address}/redoc`,
    `Health   ${address}/health/ready`,
    '',
    config.DATABASE_URL === undefined
      ? `Mode     embedded: one process, data in ${config.DATA_DIR}`
      : `Mode     PostgreSQL${config.REDIS_URL || config.REDIS_CLUSTER_NODES.length > 0 ? ' and Redis' : ''}`
  ]
  if (hasDemoUsers(config)) {
    lines.push('', 'Demo sign-ins (local only)')
    for (const { email, password, role } of demoUsers) lines.push(`  ${email}   ${password}   ${role}`)
  }
  const width = Math.max(...lines.map((line) => line.length))
  const edge = '─'.repeat(width + 2)
  return [`┌${edge}┐`, ...lines.map((line) => `│ ${line.padEnd(width)} │`), `└${edge}┘`].join('\n')
}
