import t from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { migrateSuite } from './migrate-suite.ts'

const database = await openDatabase({ dataDir: null })
t.teardown(() => database.close())
migrateSuite(t, database.db)
