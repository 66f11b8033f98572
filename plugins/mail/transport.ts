import type { Letter } from './message.ts'

/** Brings a mail on its way. */
export interface Transport {
  /** What is to be logged about it. */
  send(letter: Letter): Promise<Record<string, unknown>>
  close(): void
}
