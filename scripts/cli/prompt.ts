import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

/** Where a command asks; `input` may be a pipe. */
export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  output: NodeJS.WritableStream
}

/** Asks for one line. */
export async function ask(question: string, { input, output }: Terminal): Promise<string> {
  const lines = createInterface({ input, output })
  try {
    return (await lines.question(`${question}: `)).trim()
  } finally {
    lines.close()
  }
}

/** Asks for one line and shows nothing of what is typed. */
export async function askHidden(question: string, { input, output }: Terminal): Promise<string> {
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: muted, terminal: true })
  output.write(`${question}: `)
  try {
    return await lines.question('')
  } finally {
    lines.close()
    output.write('\n')
  }
}

/** All of a stream as one line, such as a password piped into a command. */
export async function readLine(input: NodeJS.ReadableStream): Promise<string> {
  return (await text(input)).replace(/\r?\n$/, '')
}
