import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import logging, { type LoggingOptions, serverOptions } from '../../../plugins/logging/index.ts'

/** One line of the log; the fields that every line has are typed. */
export interface Line extends Record<string, unknown> {
  level: string
  time: string
  pid: number
  msg: string
}

export interface Host {
  app: FastifyInstance
  /** The lines so far, as they were written. */
  raw: string[]
  /** The lines so far, parsed. */
  lines(): Line[]
  /** The next line to come. */
  next(): Promise<Line>
}

/** A bare Fastify with the logging plugin alone, whose lines are kept. */
export async function startHost(t: Test, options: LoggingOptions = {}, server = {}): Promise<Host> {
  const raw: string[] = []
  let waiting = Promise.withResolvers<Line>()
  const destination = {
    write(line: string) {
      raw.push(line)
      waiting.resolve(JSON.parse(line))
      waiting = Promise.withResolvers()
    }
  }
  const app = Fastify({ ...serverOptions({ destination, ...options }), ...server })
  t.teardown(() => app.close())
  await app.register(logging)
  return { app, raw, lines: () => raw.map((line) => JSON.parse(line)), next: () => waiting.promise }
}
