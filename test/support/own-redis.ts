import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import type { Test } from 'tap'

type Teardown = Pick<Test, 'teardown'>

export interface OwnRedis {
  readonly url: string
  readonly port: number
  /** The certificate to trust, when it speaks TLS. */
  readonly ca: string | undefined
  /** Starts it (again) on the same port. */
  start(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGSTOP: the kernel goes on accepting connections, nobody answers. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** Kills it and starts it again: empty, unless `args` turned persistence on. */
  restart(): Promise<void>
  /** Runs one command over a connection of its own. */
  command(name: string, ...args: Array<string | number>): Promise<unknown>
}

export interface OwnRedisOptions {
  tls?: boolean
  password?: string
  /** Further arguments of `redis-server`. */
  args?: readonly string[]
  /** False only reserves the port, for a Redis that comes later. */
  start?: boolean
}

// Linux ends such a server together with a test that dies before its teardown.
const launcher = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', 'redis-server'] : ['redis-server']

/** A `redis-server` of the test's own on a free port, without persistence, gone with the test. */
export async function startRedis(t: Teardown, options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'own-redis-'))
  const port = await freePort()
  const ca = options.tls ? await makeCertificate(dir) : undefined
  let server: ChildProcess | undefined

  const listen = options.tls
    ? ['--port', '0', '--tls-port', `${port}`, '--tls-cert-file', 'cert.pem', '--tls-key-file', 'key.pem']
    : ['--port', `${port}`]
  const tlsArgs = options.tls ? ['--tls-ca-cert-file', 'cert.pem', '--tls-auth-clients', 'no'] : []
  const { password = '' } = options
  const noPersistence = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
  const common = ['--bind', '127.0.0.1', '--logfile', 'log', '--requirepass', password, ...noPersistence]

  const connect = () => {
    const tls = ca === undefined ? undefined : { ca }
    const client = new Redis({ port, password, tls, lazyConnect: true, retryStrategy: null, enableReadyCheck: false })
    // Failures show where a command or `connect()` rejects.
    return client.on('error', () => undefined)
  }

  const start = async () => {
    const [command = '', ...args] = [...launcher, ...common, ...listen, ...tlsArgs, ...(options.args ?? [])]
    const started = spawn(command, args, { cwd: dir, stdio: 'ignore' })
    server = started
    await once(started, 'spawn')
    const isUp = () => {
      if (started.exitCode !== null) throw new Error(`redis-server ended with ${started.exitCode}: is it installed?`)
      return answers(connect())
    }
    await until(isUp, `redis-server does not answer on port ${port}`)
  }
  const kill = async () => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
  t.teardown(async () => {
    await kill()
    await rm(dir, { recursive: true, force: true })
  })

  if (options.start !== false) await start()
  return {
    url: `${options.tls ? 'rediss' : 'redis'}://${password && `:${password}@`}127.0.0.1:${port}`,
    port,
    ca,
    start,
    kill,
    freeze: () => server?.kill('SIGSTOP'),
    thaw: () => server?.kill('SIGCONT'),
    restart: async () => {
      await kill()
      await start()
    },
    command: async (name, ...args) => {
      const client = connect()
      try {
        return await client.call(name, ...args)
      } finally {
        client.disconnect()
      }
    }
  }
}

/**
 * A Redis Cluster of `masters` nodes, each with one replica if `replicas` is 1. It is ready when this resolves, after about
 * three seconds. A master counts as failed half a second after its last answer.
 */
export async function startRedisCluster(t: Teardown, masters: number, replicas: 0 | 1 = 0): Promise<OwnRedis[]> {
  const nodes = await Promise.all(
    Array.from({ length: masters * (1 + replicas) }, async () => {
      const busPort = await freePort()
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '500', '--cluster-port', `${busPort}`]
      return { ...(await startRedis(t, { args })), busPort }
    })
  )
  const [first] = nodes
  if (first === undefined) throw new Error('a cluster needs at least one master')
  for (const [index, node] of nodes.slice(0, masters).entries()) {
    const from = Math.ceil((index * 16384) / masters)
    const to = Math.ceil(((index + 1) * 16384) / masters) - 1
    await node.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
  }
  for (const node of nodes.slice(1)) await first.command('CLUSTER', 'MEET', '127.0.0.1', node.port, node.busPort)
  await untilClusterIsWhole(nodes, nodes.length)
  for (const [index, node] of nodes.slice(masters).entries()) {
    await node.command('CLUSTER', 'REPLICATE', String(await nodes[index]?.command('CLUSTER', 'MYID')))
    const isInSync = async () => String(await node.command('INFO', 'replication')).includes('master_link_status:up')
    await until(isInSync, 'a replica does not follow its master')
  }
  return nodes
}

/** Resolves when all `nodes` find their cluster in order and know `size` nodes. */
export async function untilClusterIsWhole(nodes: readonly OwnRedis[], size: number): Promise<void> {
  const isWhole = async (node: OwnRedis) => {
    const info = String(await node.command('CLUSTER', 'INFO'))
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}\r`)
  }
  await until(async () => (await Promise.all(nodes.map(isWhole))).every(Boolean), 'the Redis Cluster did not form')
}

async function answers(client: Redis): Promise<boolean> {
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}

async function until(condition: () => Promise<boolean>, message: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(message)
    await sleep(20)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function makeCertificate(dir: string): Promise<string> {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem']
  await promisify(execFile)('openssl', ['req', '-x509', ...key, '-out', 'cert.pem', '-days', '2', ...subject], {
    cwd: dir
  })
  return readFile(join(dir, 'cert.pem'), 'utf8')
}
