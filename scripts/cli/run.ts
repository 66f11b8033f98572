import { UsageError } from '../main.ts'
import { type Command, commands } from './commands.ts'
import { type OptionName, options, parse, type Values } from './options.ts'
import type { Terminal } from './prompt.ts'

export const usage = `Usage: npm run cli -- <command> [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(18)}${summary}`)
  .join('\n')}

  npm run cli -- <command> --help shows the options of a command.
Exit codes: 0 done, 1 failed, 2 wrong usage.`

/** Runs one command; resolves with what it prints. */
export async function runCli(args: string[], terminal: Terminal): Promise<string> {
  const { values, positionals } = parse(args)
  const [name, ...rest] = positionals
  if (name === undefined && values.help) return usage
  if (name === undefined) throw new UsageError('A command is missing')
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) throw new UsageError(`Unknown command ${name}`)
  if (values.help) return usageOf(name, command)
  if (rest.length > 0) throw new UsageError(`${name} takes only options, not "${rest.join(' ')}"`)
  refuseForeignOptions(name, command, values)
  const { data, text } = await command.run(values, terminal)
  return values.json ? JSON.stringify(data, null, 2) : text
}

function usageOf(name: string, { summary, options: own }: Command): string {
  const names: OptionName[] = [...own, 'json', 'help']
  const lines = names.map((option) => `  --${option.padEnd(18)}${options[option].help}`)
  return `Usage: npm run cli -- ${name} [options]\n${summary}.\n\n${lines.join('\n')}`
}

function refuseForeignOptions(name: string, command: Command, values: Values) {
  const own: string[] = [...command.options, 'json']
  const foreign = Object.keys(values).find((option) => !own.includes(option))
  if (foreign !== undefined) throw new UsageError(`${name} has no option --${foreign}`)
}
