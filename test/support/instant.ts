/** A time of the database as text that sorts: PostgreSQL leaves out the zeros at the end of a second's fraction. */
export const instant = (text: string): string =>
  text.replace(/(?:\.(\d+))?Z$/, (_, fraction = '') => `.${fraction.padEnd(6, '0')}Z`)
