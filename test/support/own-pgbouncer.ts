import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { emptyDatabase } from './database.ts'
import { freePort } from './own-postgres.ts'

/** PgBouncer in transaction mode before a throw-away database, with fewer server connections than clients. */
export async function startBouncer(t: Test): Promise<{ url: string; direct: string }> {
  const direct = await emptyDatabase(t)
  const target = new URL(direct)
  const name = target.pathname.slice(1)
  const folder = mkdtempSync(join(tmpdir(), 'plinth-bouncer-'))
  const port = await freePort()
  writeFileSync(
    join(folder, 'bouncer.ini'),
    `[databases]
${name} = host=${target.hostname} port=${target.port || 5432} dbname=${name} user=${target.username || 'postgres'}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
`
  )
  // It refuses to run as root.
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const user = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : {}
  execFileSync('chmod', ['-R', 'a+rX', folder])
  const bouncer: ChildProcess = spawn('pgbouncer', [join(folder, 'bouncer.ini')], {
    ...user,
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  t.teardown(async () => {
    bouncer.kill('SIGKILL')
    await once(bouncer, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  for await (const line of bouncer.stderr ?? []) if (String(line).includes('process up')) break
  return { url: `postgres://postgres@127.0.0.1:${port}/${name}`, direct }
}
