// C0 are ESC, newline and the like. JSON escapes them and leaves the others: DEL, the C1 controls (which a terminal obeys
// like ESC), line and paragraph separators, and the marks that turn the direction of text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const C0 = /[\u0000-\u001f]/g
const OTHERS = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text with its C0 controls shown as escapes, but for those in `keep`. */
export function escapeC0(text: string, keep = ''): string {
  return text.replace(C0, (char) => (keep.includes(char) ? char : toEscape(char)))
}

/** A finished line with all other control characters escaped. JSON still means the same. */
export function escapeOthers(line: string): string {
  return line.replace(OTHERS, toEscape)
}

function toEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
