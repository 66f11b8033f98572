import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { idempotencySuite } from './idempotency-suite.ts'

const database = await openDatabase({ url: await emptyDatabase(t) })
t.teardown(() => database.close())
await idempotencySuite(t, database)
