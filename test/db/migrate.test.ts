import t from 'tap'
import { emptyEmbedded } from '../support/database.ts'
import { migrateSuite } from './migrate-suite.ts'

const database = await emptyEmbedded(t)
t.test('migrations, embedded', async (t) => migrateSuite(t, database.db))
