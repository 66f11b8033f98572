import { escapeOthers } from './controls.ts'
import { timestamp } from './timestamp.ts'

/** What the one line about a request says. */
export interface RequestLine {
  request_id: string
  method: string
  path: string
  /** Absent when the client went away before the answer. */
  status?: number | undefined
  aborted?: true | undefined
  duration_ms: number
  ip: string
  user_agent?: string | undefined
}

export type WriteRequestLine = (level: 'info' | 'warn', line: RequestLine) => void

/** The sentence at the end of the line. */
export function messageOf({
  method,
  path,
  aborted,
  duration_ms
}: Pick<RequestLine, 'method' | 'path' | 'aborted' | 'duration_ms'>): string {
  return `${method} ${path} ${aborted ? 'aborted by the client after' : 'completed in'} ${duration_ms} ms`
}

/**
 * Writes the line as JSON, byte for byte as pino would, at a fraction of its cost: this is the one line that every
 * request pays for, and all of its fields are known here.
 *
 * @param base fields of every line
 */
export function jsonRequestLine(base: object, write: (line: string) => void): WriteRequestLine {
  const bindings = JSON.stringify(base).slice(1, -1)

  return (level, line) => {
    const { request_id, method, status, duration_ms, ip, user_agent } = line
    const path = inner(line.path)
    const head = `{"level":"${level}"${timestamp()},${bindings},"request_id":"${request_id}","method":"${method}","path":"${path}"`
    const outcome = line.aborted ? ',"aborted":true' : `,"status":${status}`
    const agent = user_agent === undefined ? '' : `,"user_agent":"${inner(user_agent)}"`
    // A trusted proxy may hand on what a client has written.
    const address = /^[\d.:a-f]*$/.test(ip) ? ip : inner(ip)
    const message = messageOf({ method, path, duration_ms, aborted: line.aborted })
    write(`${head}${outcome},"duration_ms":${duration_ms},"ip":"${address}"${agent},"msg":"${message}"}\n`)
  }
}

/** The text between the quotes of its JSON. */
const inner = (text: string) => escapeOthers(JSON.stringify(text).slice(1, -1))
