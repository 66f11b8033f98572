const ESCAPED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that is HTML already. */
export class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/**
 * A template whose values are escaped: text and numbers become text of the page, also inside a quoted attribute; what
 * `html` has made stays as it is, and lists are joined.
 */
export function html(parts: TemplateStringsArray, ...values: Array<string | number | Markup | Markup[]>): Markup {
  return new Markup(parts.reduce((text, part, index) => text + render(values[index - 1] ?? '') + part))
}

function render(value: string | number | Markup | Markup[]): string {
  if (Array.isArray(value)) return value.join('')
  if (value instanceof Markup) return value.toString()
  return String(value).replace(/[&<>"']/g, (character) => ESCAPED[character] ?? '')
}
