import { closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { isatty } from 'node:tty'

const RETRY_MS = 1000

let pipesGuarded = false

/** Where batches of lines go. */
export interface Sink {
  /**
   * Takes one batch and calls `done` once it is out, or with an error when this sink will never work again. Failures
   * that may pass (a full disk) are retried here.
   */
  write(batch: string, done: (error?: Error | null) => void): void
  /** For the moment the process ends. May throw, must not wait: it could keep the process from ending. */
  writeSync(batch: string): void
}

/**
 * Standard output. A terminal, pipe or socket is written through `process.stdout`, whose descriptor never blocks: a blocking
 * write to a pipe that nobody reads would hold a thread of the pool for ever, and the exit with it.
 */
export function stdoutSink(): Sink {
  const fd = 1
  const writeNow = (batch: string) => void writeSync(fd, batch)
  const kind = fstatSync(fd)
  if (!isatty(fd) && !kind.isFIFO() && !kind.isSocket()) {
    return { write: (batch, done) => writeAll(() => fd, Buffer.from(batch), done), writeSync: writeNow }
  }
  guardPipes()
  return {
    write: (batch, done) => void process.stdout.write(batch, done),
    writeSync: (batch) => {
      if (process.stdout.writableLength === 0) writeNow(batch)
    }
  }
}

export interface FileOptions {
  path: string
  /** Size at which the file is set aside as `<path>.1`, `.1` as `.2` and so on. Unit bytes. */
  maxBytes: number
  /** Files kept, the current one included. */
  keep: number
}

/**
 * A file that rotates by size. Several processes may share it, and it may be moved or removed from outside: before each
 * batch the path is compared with what is open.
 *
 * @throws when the file cannot be opened
 */
export function fileSink(options: FileOptions): Sink {
  const { path, maxBytes, keep } = options
  mkdirSync(dirname(path), { recursive: true })
  let file = open()

  function open() {
    const fd = openSync(path, 'a', 0o640)
    return { fd, ino: fstatSync(fd).ino }
  }

  function reopen(): void {
    const next = open()
    closeSync(file.fd)
    file = next
  }

  function current(bytes: number): number {
    try {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found?.ino !== file.ino) reopen()
      else if (found.size > 0 && found.size + bytes > maxBytes) {
        for (let n = keep - 2; n >= 1; n--) renameIfThere(`${path}.${n}`, `${path}.${n + 1}`)
        renameIfThere(path, `${path}.1`)
        reopen()
      }
    } catch {
      // Whatever keeps the folder from being changed: the open file takes the lines.
    }
    return file.fd
  }

  return {
    write: (batch, done) => writeAll(current, Buffer.from(batch), done),
    writeSync: (batch) => void writeSync(file.fd, batch)
  }
}

/** Asynchronously and completely; while that fails (the disk is full), once a second the rest again. */
function writeAll(fd: (bytes: number) => number, data: Buffer, done: () => void, failing = false): void {
  write(fd(data.length), data, (error, written) => {
    if (error) {
      if (!failing) complain(error)
      setTimeout(writeAll, RETRY_MS, fd, data, done, true).unref()
    } else if (written < data.length) writeAll(fd, data.subarray(written), done, failing)
    else done()
  })
}

function complain(error: Error): void {
  guardPipes()
  process.stderr.write(`The log cannot be written: ${error.message}; trying again every second\n`)
}

/** A closed pipe (EPIPE) is an `error` event, and one without a listener ends the process. */
function guardPipes(): void {
  if (pipesGuarded) return
  pipesGuarded = true
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

function renameIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false })) renameSync(from, to)
}
