import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { apiKeysSuite } from './suite.ts'

let statements = 0
// The change feed reads on its own; the suite asks for what the keys cost.
const info = (details: object) => {
  if (!JSON.stringify(details).includes('changes')) statements++
}
const database = await openDatabase({ url: await emptyDatabase(t), echo: true, logger: { info, error: () => {} } })
t.teardown(() => database.close())
await apiKeysSuite(t, database, () => statements)
