import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { testDatabase } from './database.ts'
import { copyMigrated } from './embedded.ts'
import { mode, redisUrl } from './mode.ts'

const entry = (name: 'server' | 'worker') => join(import.meta.dirname, `../../src/${name}.ts`)

export interface Server {
  url: string
  folder: string
  child: ChildProcess
  /** Everything written so far, standard output and error together. */
  output(): string
  /** Resolves with the exit code, `null` after a signal ended it. */
  exited: Promise<number | null>
}

/** The real server as a process of its own, without any environment but `variables`; its data lies in `folder`. */
export function spawnServer(t: Test, variables: Record<string, string> = {}, folder = temporaryFolder(t)): Server {
  return spawnProgram(t, entry('server'), variables.PORT ?? '0', variables, folder)
}

function spawnProgram(t: Test, program: string, port: string, variables: Record<string, string>, folder: string) {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [...process.execArgv, program], {
    cwd: folder,
    env: { PATH, HOME, NODE_COMPILE_CACHE, ARGON2_MEMORY_KIB: '64', ARGON2_TIME_COST: '1', ...variables },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'close').then(([code]) => code)
  return { url: `http://127.0.0.1:${port}`, folder, child, output: () => output, exited }
}

/** `spawnServer` on a free port, resolved when it answers. */
export async function startServer(t: Test, variables: Record<string, string> = {}, folder?: string): Promise<Server> {
  return answering(spawnServer(t, { PORT: String(await freePort()), ...variables }, folder))
}

/** A worker process that serves its health. */
export async function startWorker(t: Test, variables: Record<string, string>): Promise<Server> {
  const port = String(await freePort())
  return answering(spawnProgram(t, entry('worker'), port, { ...variables, WORKER_PORT: port }, temporaryFolder(t)))
}

async function answering(server: Server): Promise<Server> {
  const deadline = Date.now() + 60_000
  while (!(await answers(server.url))) {
    if (server.child.exitCode !== null || Date.now() > deadline) throw new Error(`no start:\n${server.output()}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return server
}

/** Names a migrated database of the test's own and Redis when this run is on services; nothing when it is embedded. */
export async function services(t: Test): Promise<Record<string, string>> {
  if (mode === 'embedded') return {}
  const { url = '' } = await testDatabase(t, mode)
  return { DATABASE_URL: url, REDIS_URL: redisUrl, REDIS_PREFIX: `test:${crypto.randomUUID()}:` }
}

/** What makes a start quick in either mode: `services`, or a folder whose embedded database is migrated already. */
export async function prepared(t: Test): Promise<[variables: Record<string, string>, folder: string]> {
  const folder = temporaryFolder(t)
  if (mode === 'embedded') await copyMigrated(join(folder, '.data/database'))
  return [await services(t), folder]
}

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-server-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server's address is never a string.
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const answers = (url: string) =>
  fetch(`${url}/health/live`).then(
    (response) => response.ok,
    () => false
  )
