import { createRequire } from 'node:module'
import { escapeC0 } from './controls.ts'

/**
 * A function from one JSON line to its form for people. pino-pretty prints values as they are: here newline, ESC and the
 * like are escaped before, so nothing that came with a request can forge a line; only a stack keeps its (indented) lines.
 */
export function prettyFormat(options: { colors: boolean }): (line: string) => string {
  // Required here and not imported above: it costs a JSON service 20 ms of start.
  const require = createRequire(import.meta.url)
  // `require` knows no types; these are the package's own.
  const { prettyFactory } = require('pino-pretty') as typeof import('pino-pretty')
  const format = prettyFactory({
    colorize: options.colors,
    singleLine: true,
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l o',
    ignore: 'module,request_id,caller',
    messageFormat: (log, messageKey) =>
      [log.module, log.request_id && `[${log.request_id}]`, log[messageKey], log.caller && `(${log.caller})`]
        .filter((part) => part !== undefined)
        .join(' ')
  })
  return (line) => format(JSON.parse(line, escapeValue))
}

function escapeValue(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return escapeC0(value, key === 'stack' ? '\n' : '')
}
