import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { auditSuite } from './audit-suite.ts'

const database = await openDatabase({ url: await emptyDatabase(t) })
t.teardown(() => database.close())
t.test('audit on PostgreSQL', (t) => auditSuite(t, database))
