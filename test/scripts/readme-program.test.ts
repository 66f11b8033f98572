import t from 'tap'
import { findMissingOutput } from '../../scripts/readme-program.ts'

const program = { plugin: 'x', code: '', output: ['one', 'two'], needsServices: false }

t.test('a program must print what its comments promise, in their order', async (t) => {
  t.equal(findMissingOutput(program, 'zero\none\ntwo\n'), undefined)
  t.equal(findMissingOutput(program, 'one\n'), 'two')
  t.equal(findMissingOutput(program, 'two\none\n'), 'two')
})
