/** Says whether a string has the format. It runs on input of any length and must take linear time. */
export type FormatCheck = (value: string) => boolean

const uuid = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i
const day = /^(\d{4})-(\d\d)-(\d\d)$/
const time = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/
const localPart = /^[a-z\d!#$%&'*+/=?^_`{|}~.-]{1,64}$/i
const domain = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+[a-z][a-z\d-]{0,61}[a-z\d]$/i
const uriCharacters = /^[a-z][a-z\d+.-]{0,30}:[\w.~:/?#[\]@!$&'()*+,;=%-]+$/i
const firstInstant = Date.parse('0001-01-01T00:00:00Z')
const lastInstant = Date.parse('9999-12-31T23:59:59.999Z')

/** The formats a schema may name. They are as narrow as PostgreSQL and JavaScript are wide, both exactly. */
export const formats: Record<string, FormatCheck> = {
  uuid: (value) => uuid.test(value),
  date: isDate,
  'date-time': isDateTime,
  email: isEmail,
  uri: (value) => uriCharacters.test(value) && URL.canParse(value)
}

/** A day of the calendar, from year 1. */
function isDate(value: string): boolean {
  const [, year, month, date] = day.exec(value)?.map(Number) ?? []
  if (year === undefined || month === undefined || date === undefined || year === 0) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
  return date >= 1 && date <= days
}

/** RFC 3339 without leap seconds, with at most microseconds, and in UTC still in years 1 to 9999. */
function isDateTime(value: string): boolean {
  if (value.charAt(10) !== 'T' || !isDate(value.slice(0, 10)) || !time.test(value.slice(11))) return false
  const instant = Date.parse(value)
  return instant >= firstInstant && instant <= lastInstant
}

/** A mailbox of RFC 5321 in ASCII, at a domain with a dot; no quoted local parts, no address literals. */
function isEmail(value: string): boolean {
  if (value.length > 254) return false
  const at = value.lastIndexOf('@')
  const local = value.slice(0, at)
  if (at < 1 || local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false
  return localPart.test(local) && domain.test(value.slice(at + 1))
}
