/** So many calls in any span of so many seconds. */
export interface Quota {
  max: number
  seconds: number
}

/** One quota of one client, as it is counted and told. */
export interface Policy extends Quota {
  /** What headers and problem details call it. */
  name: string
  /** Tells the client's counters apart. */
  key: string
}

/** The policies that one call is held against, prepared for counting and telling. */
export interface PolicySet {
  policies: readonly Policy[]
  /** Max and window in milliseconds of each, as the script takes them. */
  args: readonly string[]
  /** `RateLimit-Policy`. */
  header: string
  /** The name of each, as a structured string. */
  quoted: readonly string[]
}

const MAX_QUOTA = 1_000_000_000
const MAX_SECONDS = 31_536_000

export function policySet(policies: readonly Policy[]): PolicySet {
  const quoted = policies.map(({ name }) => quote(name))
  return {
    policies,
    quoted,
    args: policies.flatMap(({ max, seconds }) => [String(max), String(seconds * 1000)]),
    header: policies.map(({ max, seconds }, index) => `${quoted[index]};q=${max};w=${seconds}`).join(', ')
  }
}

/** @throws {TypeError} unless it is a whole number of calls (1–10⁹) and of seconds (1–a year) */
export function requireQuota(what: string, quota: Quota): void {
  const { max, seconds }: Quota = Object(quota)
  const isOf = (value: number, limit: number) => Number.isSafeInteger(value) && value >= 1 && value <= limit
  if (isOf(max, MAX_QUOTA) && isOf(seconds, MAX_SECONDS)) return
  throw new TypeError(
    `rate-limit: ${what} must have a whole \`max\` ≥ 1 and whole \`seconds\` from 1 to ${MAX_SECONDS}`
  )
}

/** A String of RFC 9651, which holds printable ASCII only. */
function quote(name: string): string {
  return `"${name.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
