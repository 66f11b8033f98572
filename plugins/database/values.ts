/** @throws {RangeError} beyond ±2^53, where a JavaScript number would be another number. */
export function int8ToNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError('An int8 value lies outside the safe integers')
  return value
}

/**
 * `2026-11-20 10:00:00.123456+00` → `2026-11-20T10:00:00.123456Z`, microseconds kept. Other offsets are converted.
 * What ISO 8601 cannot say (`infinity`, years before Christ) stays PostgreSQL's text.
 */
export function timestamptzToIso(text: string): string {
  if (text.endsWith('+00') && text[10] === ' ') return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`
  const match = /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text)
  if (match === null) return text
  const [, year, month, day, hour, minute, second, fraction = '', sign, ...offset] = match
  const [hours = 0, minutes = 0, seconds = 0] = offset.map((part) => Number(part ?? 0))
  const offsetSeconds = (sign === '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
  // Not Date.UTC, which takes the years 0–99 for 1900–1999.
  const instant = new Date(0)
  instant.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  instant.setUTCHours(Number(hour), Number(minute), Number(second) - offsetSeconds)
  return instant.toISOString().replace('.000Z', `${fraction}Z`)
}
