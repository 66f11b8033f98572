let second = 0
let stampOfSecond = ''

/** A member of a line: ISO 8601 in UTC. Formatting a date costs as much as the rest of a line, so it is done once a second. */
export function timestamp(): string {
  const now = Date.now()
  const ms = now % 1000
  if (now - ms !== second) {
    second = now - ms
    stampOfSecond = `,"time":"${new Date(now).toISOString().slice(0, -4)}`
  }
  return `${stampOfSecond}${String(ms).padStart(3, '0')}Z"`
}
