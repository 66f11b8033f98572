/** The pattern for `like` and `ilike` that finds this text anywhere; its own `%`, `_` and `\` are literal. */
export const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
