import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { openMemoryDatabase } from '../src/database.ts'
import { generateSecrets } from '../src/secrets.ts'
import { main } from './main.ts'
import { root } from './run.ts'

const usage = `Usage: npm run openapi [-- --check] [file]
Writes the OpenAPI document of the routes to openapi.json; --check only tells what differs. Needs no services.`

type Fields = Record<string, unknown>

await main(usage, async () => {
  const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true })
  const file = positionals[0] === undefined ? join(root, 'openapi.json') : resolve(positionals[0])
  const rendered = await renderDocument()
  if (!values.check) {
    writeFileSync(file, rendered)
    return 0
  }
  const committed = readFileSync(file, 'utf8')
  if (committed === rendered) return 0
  console.error('openapi.json does not match the routes; run: npm run openapi')
  for (const line of differences(JSON.parse(committed), JSON.parse(rendered))) console.error(`  ${line}`)
  return 1
})

/** The document of the service with its default settings: nothing of this machine's environment gets into it. */
async function renderDocument(): Promise<string> {
  const config = { ...loadConfig({ LOG_LEVEL: 'error' }), ...generateSecrets() }
  const database = await openMemoryDatabase()
  try {
    const app = await buildApp(config, { database })
    await app.ready()
    const text = `${JSON.stringify(app.docs.document(), null, 2)}\n`
    await app.close()
    return text
  } finally {
    await database.close()
  }
}

/** What changed between two documents, one line for each operation, component and field at the top. */
function differences(before: Fields, after: Fields): string[] {
  const old = parts(before)
  const now = parts(after)
  const lines = Object.keys({ ...old, ...now }).map((name) => {
    if (old[name] === now[name]) return ''
    if (old[name] === undefined) return `added: ${name}`
    return now[name] === undefined ? `removed: ${name}` : `changed: ${name}`
  })
  return lines.filter(Boolean)
}

/** The parts of a document as texts, under the names that readers know them by. */
function parts({ paths, components, ...top }: Fields): Record<string, string> {
  const operations = members(paths).flatMap(([path, item]) =>
    members(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation])
  )
  const named = members(components).flatMap(([kind, group]) =>
    members(group).map(([name, component]) => [`${kind}/${name}`, component])
  )
  const all: Fields = { ...top, ...Object.fromEntries([...operations, ...named]) }
  return Object.fromEntries(members(all).map(([name, part]) => [name, JSON.stringify(part)]))
}

function members(value: unknown): Array<[string, unknown]> {
  return Object.entries(value ?? {})
}
