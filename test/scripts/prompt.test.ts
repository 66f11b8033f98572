import { PassThrough } from 'node:stream'
import t from 'tap'
import { ask, askHidden, readLine } from '../../scripts/cli/prompt.ts'

function terminal(typed: string) {
  const input = new PassThrough()
  const output = new PassThrough()
  input.write(typed)
  return { input, output, shown: () => String(output.read() ?? '') }
}

t.test('an answer is one line, without the spaces around it', async (t) => {
  const { shown, ...streams } = terminal('  ada \n')
  t.equal(await ask('Username', streams), 'ada')
  t.match(shown(), /^Username: /)
})

t.test('a hidden answer is never shown', async (t) => {
  const { shown, ...streams } = terminal(' pass word \n')
  t.equal(await askHidden('Password', streams), ' pass word ', 'spaces belong to a password')
  t.equal(shown(), 'Password: \n')
})

t.test('a piped password loses only its line break', async (t) => {
  const input = new PassThrough()
  input.end(' pass word \r\n')
  t.equal(await readLine(input), ' pass word ')
})
