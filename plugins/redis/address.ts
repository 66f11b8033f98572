export interface Address {
  host: string
  port: number
  db: number
  username: string | undefined
  password: string | undefined
  isTls: boolean
}

/**
 * Reads `redis://[user:password@]host[:port][/db]`, `rediss://…` or `host:port`.
 *
 * @throws Error that quotes nothing of the address, which may hold a password
 */
export function parseAddress(text: string): Address {
  const address = text.includes('://') ? text : `redis://${text}`
  if (!/^rediss?:\/\//.test(address) || !URL.canParse(address)) {
    throw new Error('redis: an address must look like redis://[user:password@]host:port[/db], rediss://… or host:port')
  }
  const url = new URL(address)
  const db = url.pathname.slice(1)
  if (!/^\d*$/.test(db)) throw new Error('redis: the path of an address must be the number of a database')
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(url.port || 6379),
    db: Number(db),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    isTls: url.protocol === 'rediss:'
  }
}
