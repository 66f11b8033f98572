/** The Prometheus text format 0.0.4: names, escapes and numbers. */

export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

export function requireMetricName(name: string): void {
  // Colons are legal but belong to recording rules.
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw new TypeError(`Not a metric name: ${name}`)
}

export function requireLabelNames(names: readonly string[], reserved: readonly string[]): void {
  for (const name of names) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name.startsWith('__') || reserved.includes(name)) {
      throw new TypeError(`Not a label name: ${name}`)
    }
  }
  if (new Set(names).size !== names.length) throw new TypeError(`Label names repeat: ${names.join(', ')}`)
}

/** `a="x",b="y"`, or `''` without labels. */
export function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, i) => `${name}="${escapeLabelValue(values[i] ?? '')}"`).join(',')
}

export function header(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
}

export function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabelValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

export function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
