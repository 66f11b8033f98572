import t from 'tap'
import { readPrograms } from '../scripts/readme-program.ts'
import { readmeProgram } from './support/readme-program.ts'

t.test('README programs', { jobs: 2 }, async (t) => {
  for (const { plugin } of readPrograms().filter(({ needsServices }) => !needsServices)) {
    const title = `the program in the README of ${plugin} runs and ends by itself`
    t.test(title, { buffered: true }, (t) => readmeProgram(t, plugin))
  }
})
