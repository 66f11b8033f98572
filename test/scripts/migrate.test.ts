import t from 'tap'
import { runMigrate, type WithDatabase } from '../../scripts/migrate/command.ts'
import { emptyEmbedded } from '../support/database.ts'

t.test('migrations go up and down to nothing, and the command says what it did', async (t) => {
  const database = await emptyEmbedded(t)
  const migrate = async (...args: string[]) => {
    const lines: string[] = []
    await runMigrate(
      args,
      (use) => use(database.db),
      (line) => lines.push(...line.split('\n'))
    )
    return lines
  }

  const pending = await migrate('status')
  t.ok(pending.length > 1 && pending.every((line) => line.endsWith('  pending')))
  const names = pending.map((line) => line.split(' ')[0] ?? '')

  const up = await migrate('up')
  t.match(up, [...names.map((name) => new RegExp(`^✓ ${name} \\(\\d+ ms\\)$`)), `${names.length} migration(s) done`])
  t.same(await migrate('up'), ['Nothing to do'])
  t.ok((await migrate('status')).every((line) => line.endsWith('Z')))
  const told: { name: string; applied_at: string | null }[] = JSON.parse((await migrate('status', '--json')).join('\n'))
  t.same(
    told.map(({ name, applied_at }) => `${name}${applied_at?.at(-1)}`),
    names.map((name) => `${name}Z`)
  )

  t.match(await migrate('down'), [/^✓/, '1 migration(s) done'])
  await migrate('to', names[0] ?? '')
  t.match(await migrate('history'), [names[0]])
  await migrate('to', names[1] ?? '')
  t.match(await migrate('history'), [names[0], names[1]])
  t.match((await migrate('down', 'all')).at(-1), '2 migration(s) done')
  t.same(await migrate('history'), ['No migrations'])
  t.same(await migrate('history', '--json'), ['[]'])
})

t.test('help needs no database', async (t) => {
  let printed = ''
  const unused: WithDatabase = async () => void t.fail('opened a database')
  await runMigrate(['--help'], unused, (line) => (printed += line))
  t.match(printed, /^Usage: npm run migrate/)
})

t.test('wrong usage is refused before a database is opened', async (t) => {
  const unused: WithDatabase = async () => void t.fail('opened a database')
  const cases = [
    [],
    ['sideways'],
    ['down', '0'],
    ['down', 'some'],
    ['to'],
    ['create'],
    ['up', 'now'],
    ['to', 'a', 'b'],
    ['up', '--json']
  ]
  for (const args of cases) {
    const attempt = runMigrate(args, unused, () => {})
    await t.rejects(attempt, { name: 'UsageError' }, args.join(' '))
  }
})
