import t from 'tap'
import { int8ToNumber, timestamptzToIso } from '../../../plugins/database/values.ts'

t.test('a timestamptz becomes ISO 8601 in UTC, to the microsecond', async (t) => {
  const cases = {
    '2026-11-20 10:00:00+00': '2026-11-20T10:00:00Z',
    '2026-11-20 10:00:00.123456+00': '2026-11-20T10:00:00.123456Z',
    '2026-11-20 10:00:00.5+02': '2026-11-20T08:00:00.5Z',
    '2026-01-01 00:30:00.000001+05:30': '2025-12-31T19:00:00.000001Z',
    '2026-12-31 23:30:00-03': '2027-01-01T02:30:00Z',
    '1890-01-01 00:00:00+00:53:28': '1889-12-31T23:06:32Z',
    '0044-03-15 12:00:00+01': '0044-03-15T11:00:00Z'
  }
  for (const [text, iso] of Object.entries(cases)) t.equal(timestamptzToIso(text), iso, text)
})

t.test('a timestamptz that ISO 8601 cannot say stays as it is', async (t) => {
  for (const text of ['infinity', '-infinity', '0044-03-15 12:00:00+00 BC']) t.equal(timestamptzToIso(text), text)
})

t.test('an int8 becomes a number, or an error where no number is equal to it', async (t) => {
  t.equal(int8ToNumber('-9007199254740991'), Number.MIN_SAFE_INTEGER)
  t.throws(() => int8ToNumber('9007199254740993'), RangeError)
})
