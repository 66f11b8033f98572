import t from 'tap'
import { rightsSuite } from './rights-suite.ts'

t.setTimeout(600_000)
await rightsSuite(t, { runs: 300, length: 40 })
