/** Says on `output` how far long work has come: a bar on a terminal, one line at the end elsewhere. */
export function progress(output: NodeJS.WritableStream & { isTTY?: boolean }, what: string, total: number) {
  const startedAt = performance.now()
  const width = 30

  return (done: number) => {
    const seconds = (performance.now() - startedAt) / 1000
    const rate = `${Math.round(done / seconds).toLocaleString('en')}/s`
    const isLast = done >= total
    if (output.isTTY) {
      const filled = Math.round((done / total) * width)
      const bar = '█'.repeat(filled).padEnd(width, '░')
      output.write(`\r${bar} ${done.toLocaleString('en')} ${what}, ${rate}\u001b[K${isLast ? '\n' : ''}`)
    } else if (isLast) {
      output.write(`${done.toLocaleString('en')} ${what} in ${seconds.toFixed(1)} s, ${rate}\n`)
    }
  }
}
