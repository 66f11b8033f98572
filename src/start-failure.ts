import { ConfigError } from './config.ts'

/** A start that could not work out, foreseen: its message is all that its reader needs. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
}

/** What the file system says to DATA_DIR and LOG_FILE; the message names the path. */
const FILE_FAULTS = new Set(['EACCES', 'EROFS', 'ENOSPC', 'EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT', 'EPERM'])

/** For `promise.catch(…)`: the error's own message says it all. */
export function refuseStart(error: Error): never {
  throw new StartFailure(error.message, { cause: error })
}

/** One clear message for a foreseen failure; anything else keeps its stack. */
export function explainStartFailure(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (error instanceof StartFailure) return `Could not start: ${error.message}`
  if (!(error instanceof Error)) return `Could not start: ${String(error)}`
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return 'Could not start: the port is in use; set PORT to another one'
  if (code === 'EADDRNOTAVAIL') return 'Could not start: HOST is no address of this machine'
  if (code !== undefined && FILE_FAULTS.has(code)) return `Could not start: ${error.message}`
  return `Could not start: ${error.stack}`
}
