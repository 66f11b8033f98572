import t from 'tap'
import { rightsSuite } from './rights-suite.ts'

await rightsSuite(t, { runs: 6, length: 20 })
