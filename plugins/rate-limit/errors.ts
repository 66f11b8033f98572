import { createError } from '@fastify/error'

/** 429: a quota is used up. It has no stack: a flood is refused by the thousand, and where from is no news. */
export const RateLimitExceeded = createError<[seconds: number]>(
  'RATE_LIMIT_EXCEEDED',
  'Try again in %d seconds',
  429,
  Error,
  false
)

/** draft-ietf-httpapi-ratelimit-headers-11, section 5.1. */
const QUOTA_EXCEEDED = {
  type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  title: 'Request cannot be satisfied as assigned quota has been exceeded'
}

/** The error for a wait of so many seconds, with `Retry-After` and what RFC 9457 tells beyond the message. */
export function rateLimitExceeded(seconds: number, policies: string[]) {
  return Object.assign(new RateLimitExceeded(seconds), {
    headers: { 'Retry-After': String(seconds) },
    problem: { ...QUOTA_EXCEEDED, 'violated-policies': policies }
  })
}
