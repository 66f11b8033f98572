/** A mistake in the command line: shown with the usage, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/**
 * Runs a script: exit code 0, the number `script` returns, 1 with one line when it throws, 2 with the usage when the
 * command line is wrong.
 */
export async function main(usage: string, script: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await script()
  } catch (error) {
    const isUsage = error instanceof UsageError || codeOf(error)?.startsWith('ERR_PARSE_ARGS_')
    console.error(isUsage ? `${messageOf(error)}\n\n${usage}` : messageOf(error))
    process.exitCode = isUsage ? 2 : 1
  }
}

/** One line for what can happen; a fault of ours keeps its stack. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isFault = codeOf(error) === undefined && /^(?:Type|Reference|Range|Syntax)Error$/.test(error.name)
  if (isFault) return error.stack ?? error.message
  // The text of an error constant is made for clients; what happened is its cause.
  const { message, cause } = error
  return cause instanceof Error && codeOf(error) !== undefined ? `${message}: ${cause.message}` : message
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
