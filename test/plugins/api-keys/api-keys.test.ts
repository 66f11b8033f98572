import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDump } from '../../support/embedded.ts'
import { apiKeysSuite } from './suite.ts'

let statements = 0
const logger = { info: () => statements++, error: () => {} }
const database = await openDatabase({ dataDir: null, load: await emptyDump(), echo: true, logger })
t.teardown(() => database.close())
await apiKeysSuite(t, database, () => statements)
