import pino from 'pino'
import { callerField } from './caller.ts'
import { escapeOthers } from './controls.ts'
import { Output } from './output.ts'
import { prettyFormat } from './pretty.ts'
import { redactor } from './redact.ts'
import { jsonRequestLine, messageOf, type WriteRequestLine } from './request-line.ts'
import { fileSink, stdoutSink } from './sinks.ts'
import { timestamp } from './timestamp.ts'

const FILE_MAX_BYTES = 10 * 1024 * 1024
const FILES_KEPT = 5
const DELAY_MS = 250
const MAX_PATH_CHARS = 1024

export interface LoggingOptions {
  /** Least severe level that is logged. Default `info`. */
  level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** `auto` (default) is `pretty` when standard output is a terminal and no file is named, else `json`. */
  format?: 'auto' | 'pretty' | 'json'
  /** File to log into instead of standard output; rotated at 10 MB, five files are kept. */
  file?: string
  /** Adds the source file and line of the caller to each line; `pretty` only. Default false. */
  caller?: boolean
  /** Name of the service, on every line. */
  name?: string
  /** Part of the service that logs (`server`, `worker`), on every line; child loggers may name their own. */
  module?: string
  /** Further names of secret fields. A field counts if its name contains one of them (case, `-` and `_` aside). */
  redact?: readonly string[]
  /** Takes the finished lines instead of standard output, at once. */
  destination?: { write(line: string): unknown }
}

/** A pino logger, its lines' way out, and what got lost on it. */
export interface Logging {
  logger: pino.Logger
  /** Resolves when every line so far is out, at the latest after one second. Call it last before the process ends. */
  flush(): Promise<void>
  /** Writes the line about one request, whatever the level of the logger. */
  writeRequest: WriteRequestLine
  /** Lines dropped since the start because the destination was too slow, full or gone. */
  dropped(): number
}

let standardOutput: Output | undefined

/**
 * A logger with this plugin's format, redaction and destination, for processes and parts without a Fastify instance.
 *
 * @throws when `file` cannot be opened
 */
export function createLogger(options: LoggingOptions = {}): Logging {
  const pretty = isPretty(options)
  const format = pretty ? prettyFormat({ colors: usesColors(options) }) : undefined
  const output = options.destination ? undefined : openOutput(options)
  const target = options.destination ?? output
  const flush = () => output?.flush() ?? Promise.resolve()

  const stream = {
    write: (line: string) => void target?.write(escapeOthers(format ? format(line) : line)),
    // pino's own `logger.flush(callback)` comes here.
    flush: (callback: () => void) => void flush().then(callback)
  }

  const base = { pid: process.pid, name: options.name, module: options.module }
  const redact = redactor(options.redact ?? [], new Set(['err', 'req', 'res']))
  const logger = pino(
    {
      level: options.level ?? 'info',
      base,
      timestamp,
      formatters: { level: (level) => ({ level }), log: redact.fields },
      serializers: {
        err: redact.value,
        req: ({ method, url }) => ({ method, path: pathOf(url) }),
        res: ({ statusCode }) => ({ status: statusCode })
      },
      ...(pretty && options.caller && { mixin: callerField })
    },
    stream
  )
  if (output) output.onRecover = (dropped) => logger.warn({ dropped }, 'log lines were dropped')
  const writeRequest: WriteRequestLine = pretty
    ? (level, line) => logger[level](line, messageOf(line))
    : jsonRequestLine(base, (line) => void target?.write(line))
  return { logger, flush, writeRequest, dropped: () => output?.dropped ?? 0 }
}

/** The path of a request target: what follows `?` may hold secrets and is never logged. */
export function pathOf(url: string): string {
  const end = url.indexOf('?')
  return (end === -1 ? url : url.slice(0, end)).slice(0, MAX_PATH_CHARS)
}

function isPretty({ format = 'auto', file, destination }: LoggingOptions): boolean {
  if (format !== 'auto') return format === 'pretty'
  return file === undefined && destination === undefined && process.stdout.isTTY === true
}

function usesColors({ file, destination }: LoggingOptions): boolean {
  return file === undefined && destination === undefined && process.stdout.isTTY && process.stdout.hasColors()
}

function openOutput({ file }: LoggingOptions): Output {
  if (file !== undefined)
    return new Output(fileSink({ path: file, maxBytes: FILE_MAX_BYTES, keep: FILES_KEPT }), DELAY_MS)
  // One for all loggers of the process, so that their lines keep their order and share one bound.
  standardOutput ??= new Output(stdoutSink(), process.stdout.isTTY ? 0 : DELAY_MS)
  return standardOutput
}
