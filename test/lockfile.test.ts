import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

interface Locked {
  version: string
  resolved?: string
  integrity?: string
  dev?: boolean
}

const root = join(import.meta.dirname, '..')
const manifest = readJson('package.json')
const { packages } = readJson<{ packages: Record<string, Locked> }>('package-lock.json')
const installed = Object.entries(packages).filter(([path]) => path !== '')

/** Versions below these have known vulnerabilities. */
const floors = { fastify: '5.8.3', 'fast-jwt': '6.2.1', '@fastify/static': '9.1.1' }
/** Both match URLs apart from the router, which has let requests past access checks. */
const banned = ['@fastify/middie', '@fastify/express']
const licences = [
  'MIT',
  'MIT-0',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  '(MIT OR CC0-1.0)'
]

t.test('no package is older than its last security fix', async (t) => {
  for (const [name, floor] of Object.entries(floors)) {
    const versions = installed.filter(([path]) => nameOf(path) === name).map(([, { version }]) => version)
    t.not(versions.length, 0, `${name} is installed`)
    for (const version of versions) t.ok(isAtLeast(version, floor), `${name} ${version} ≥ ${floor}`)
  }
})

t.test('no banned package came in, not even through another', async (t) => {
  t.same(
    installed.map(([path]) => nameOf(path)).filter((name) => banned.includes(name)),
    []
  )
})

t.test('every package is pinned by its checksum and comes from whatever registry npm is set to', async (t) => {
  t.same(
    installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path),
    []
  )
  t.same(
    installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    []
  )
})

t.test('package.json names exact versions', async (t) => {
  const { dependencies, devDependencies, optionalDependencies } = manifest
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+$/, name)
  }
})

t.test('what the product ships with has a permissive licence', async (t) => {
  const shipped = installed.filter(([path, { dev }]) => !dev && existsSync(join(root, path)))
  t.ok(shipped.length > 100, 'the product is installed')
  for (const [path] of shipped) {
    const { license } = readJson<{ license?: string }>(path, 'package.json')
    t.ok(license !== undefined && licences.includes(license), `${nameOf(path)}: ${license}`)
  }
})

t.test('a version is compared by number, not by text', async (t) => {
  t.ok(isAtLeast('10.0.0', '9.1.1'))
  t.ok(isAtLeast('9.1.1', '9.1.1'))
  t.notOk(isAtLeast('9.1.0', '9.1.1'))
  t.notOk(isAtLeast('9.2.0-rc.1', '9.2.0'), 'a pre-release is older')
})

function readJson<T = Record<string, Record<string, string>>>(...path: string[]): T {
  return JSON.parse(readFileSync(join(root, ...path), 'utf8'))
}

/** `@fastify/static` for `node_modules/x/node_modules/@fastify/static`. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function isAtLeast(version: string, floor: string): boolean {
  const [core = '', preRelease] = version.split('-')
  const order = core.localeCompare(floor, 'en', { numeric: true })
  return order > 0 || (order === 0 && preRelease === undefined)
}
