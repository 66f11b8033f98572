import t from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { emptyDump } from '../support/embedded.ts'
import { migrateSuite } from './migrate-suite.ts'

const database = await openDatabase({ dataDir: null, load: await emptyDump() })
t.teardown(() => database.close())
t.test('migrations, embedded', async (t) => migrateSuite(t, database.db))
