import t from 'tap'
import { findMissingServices } from '../../scripts/services.ts'

t.test('a missing server is named with its address and variable, without its password', async (t) => {
  const problems = await findMissingServices({
    DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/app',
    REDIS_URL: 'redis://:secret@127.0.0.1:1'
  })
  t.same(problems, [
    'PostgreSQL does not answer at postgres://me@127.0.0.1:1/app: ECONNREFUSED (set DATABASE_URL or start it)',
    'Redis does not answer at redis://127.0.0.1:1: ECONNREFUSED (set REDIS_URL or start it)'
  ])
})
