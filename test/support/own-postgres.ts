import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'

export interface OwnPostgres {
  url: string
  /** `fast` ends sessions, `immediate` ends as a crash does. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
  restart(mode?: 'fast' | 'immediate'): Promise<void>
  /** Stops every process of the server in its tracks: connections stay open, nothing answers. */
  freeze(): void
  thaw(): void
}

/** A PostgreSQL server of one test alone, which may break it in any way; gone at teardown. */
export async function startPostgres(t: Test, settings: Record<string, string> = {}): Promise<OwnPostgres> {
  const bin = globSync('/usr/lib/postgresql/*/bin').sort().at(-1)
  if (bin === undefined) throw new Error('This test starts a PostgreSQL server of its own: install postgresql')
  // The server refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined
  const folder = mkdtempSync(join(tmpdir(), 'plinth-postgres-'))
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...user,
    stdio: 'ignore'
  })
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    server = spawn(
      join(bin ?? '', 'postgres'),
      ['-D', data, '-p', `${port}`, '-k', folder, '-c', 'fsync=off', ...flags],
      {
        ...user,
        stdio: 'ignore'
      }
    )
    await answering(url)
  }

  const isRunning = () => server?.exitCode === null && server.signalCode === null

  async function stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    if (server === undefined || !isRunning()) return
    const exit = once(server, 'exit')
    server.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await exit
  }

  function signalAll(signal: NodeJS.Signals): void {
    if (server?.pid === undefined || !isRunning()) return
    // Parent first: it must not start another process meanwhile.
    for (const pid of [server.pid, ...childrenOf(server.pid)]) signalIfAlive(pid, signal)
  }

  // Also when the test process ends without its teardowns.
  const removeAll = () => {
    server?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', removeAll)
  t.teardown(async () => {
    signalAll('SIGCONT')
    await stop('immediate')
    process.off('exit', removeAll)
    removeAll()
  })
  await start()
  return {
    url,
    start,
    stop,
    async restart(mode) {
      await stop(mode)
      await start()
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT')
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port')
  return address.port
}

const idOf = (flag: '-u' | '-g') => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))

function childrenOf(pid: number): number[] {
  const list = execFileSync('ps', ['-o', 'pid=', '--ppid', `${pid}`], { encoding: 'utf8' })
  return list.split('\n').filter(Boolean).map(Number)
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // A session that has just ended.
  }
}

async function answering(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (attempt === 100) throw error
      await sleep(50)
    }
  }
}
