import t from 'tap'
import { emptyEmbedded } from '../../support/database.ts'
import { auditSuite } from './audit-suite.ts'

const database = await emptyEmbedded(t)
t.test('audit, embedded', (t) => auditSuite(t, database))
