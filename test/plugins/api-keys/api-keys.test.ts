import t from 'tap'
import { emptyEmbedded } from '../../support/database.ts'
import { apiKeysSuite } from './suite.ts'

let statements = 0
const logger = { info: () => statements++, error: () => {} }
const database = await emptyEmbedded(t, { echo: true, logger })
await apiKeysSuite(t, database, () => statements)
