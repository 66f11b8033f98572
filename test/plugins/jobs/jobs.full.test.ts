import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { jobsMigration } from '../../../plugins/jobs/index.ts'
import { emptyDump } from '../../support/embedded.ts'
import { checkCommits } from './commits.ts'

t.test('embedded, 1000 times: a commit leaves exactly one job, a rollback none', async (t) => {
  const database = await openDatabase({ dataDir: null, load: await emptyDump() })
  t.teardown(() => database.close())
  await database.db.transaction().execute((trx) => jobsMigration.up(trx))
  await checkCommits(t, database, 1000)
})
