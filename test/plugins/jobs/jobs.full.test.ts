import t from 'tap'
import { jobsMigration } from '../../../plugins/jobs/index.ts'
import { emptyEmbedded } from '../../support/database.ts'
import { checkCommits } from './commits.ts'

t.test('embedded, 1000 times: a commit leaves exactly one job, a rollback none', async (t) => {
  const database = await emptyEmbedded(t)
  await database.db.transaction().execute((trx) => jobsMigration.up(trx))
  await checkCommits(t, database, 1000)
})
