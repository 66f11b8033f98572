import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDump } from '../../support/embedded.ts'
import { auditSuite } from './audit-suite.ts'

const database = await openDatabase({ dataDir: null, load: await emptyDump() })
t.teardown(() => database.close())
t.test('audit, embedded', (t) => auditSuite(t, database))
