import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'

const openModule = new URL('../../../plugins/database/open.ts', import.meta.url).href
const root = join(import.meta.dirname, '../../..')

t.test('what was acknowledged survives kill -9, and the next process takes the folder over', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  for (let round = 0; round < 3; round++) {
    const acknowledged = await writeUntilKilled(dataDir, round)
    const database = await openDatabase({ dataDir })
    const { rows } = await sql<{ id: number }>`select id from written where round = ${round} order by id`.execute(
      database.db
    )
    await database.close()
    const found = new Set(rows.map(({ id }) => id))
    t.ok(acknowledged.length >= 20)
    t.same(
      acknowledged.filter((id) => !found.has(id)),
      [],
      `round ${round}: nothing acknowledged is missing`
    )
  }
})

t.test('a second process on the folder of a live one is refused', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const database = await openDatabase({ dataDir })
  t.teardown(() => database.close())
  const code = `
    import { openDatabase } from '${openModule}'
    await openDatabase({ dataDir: ${JSON.stringify(dataDir)} }).catch((error) => console.log(error.message))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: root })
  const [output] = await once(child.stdout, 'data')
  t.equal(String(output).trim(), `The database in ${dataDir} is in use by process ${process.pid}`)
})

/** Ids that a process was told are written before it was killed in the middle of writing. */
async function writeUntilKilled(dataDir: string, round: number): Promise<number[]> {
  const code = `
    import { sql } from 'kysely'
    import { openDatabase } from '${openModule}'
    const database = await openDatabase({ dataDir: ${JSON.stringify(dataDir)} })
    await sql\`create table if not exists written (round int, id int)\`.execute(database.db)
    for (let id = 0; ; id++) {
      await database.transaction((trx) => sql\`insert into written values (${round}, \${id})\`.execute(trx))
      console.log(id)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const exit = once(child, 'exit')
  const acknowledged: number[] = []
  for await (const line of createInterface(child.stdout)) {
    acknowledged.push(Number(line))
    if (acknowledged.length === 20) child.kill('SIGKILL')
  }
  await exit
  return acknowledged
}
