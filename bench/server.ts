import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

export const SERVER_CPU = '0'
/** The load generator, the database and this process share the other one. */
export const LOAD_CPU = '1'

const READY_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 10_000

/** A server process on a CPU of its own. */
export interface Server {
  port: number
  /** Its answers are errors, and have to be. */
  isRefusing: boolean
  /** CPU time of all its threads since the start, in µs. */
  cpuMicros(): number
  stop(): Promise<void>
}

/** Starts `script` with PORT and `env`, pinned with all its threads, its log drained, and waits until it answers. */
export async function startServer(script: string, env: Record<string, string>, isRefusing = false): Promise<Server> {
  const port = await freePort()
  const child = spawn('taskset', ['-c', SERVER_CPU, process.execPath, script], {
    // No `.env` of the project there, and nothing of our own environment but the path.
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  child.stdout?.resume()
  try {
    await ready(child, port)
  } catch (error) {
    await stop(child)
    throw error
  }
  return { port, isRefusing, cpuMicros: () => cpuMicros(child.pid), stop: () => stop(child) }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port was assigned')
  return address.port
}

async function ready(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode} before it answered`)
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null)
    if (answer !== null) return void (await answer.body?.cancel())
    await sleep(50)
  }
  throw new Error(`The server did not answer within ${READY_DEADLINE_MS / 1000} s`)
}

/** From the scheduler, in ns; `stat` counts in ticks of 10 ms, too coarse for slices of a second. */
function cpuMicros(pid: number | undefined): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanos = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  return nanos.reduce((sum, ns) => sum + Number(ns), 0) / 1000
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await exit
  clearTimeout(force)
}
