/** An answer as it is kept: final text, sent without a look into it. */
export interface Payload {
  body: string
  type: string
  etag: string | undefined
}

export interface Entry extends Payload {
  /** Milliseconds since 1970. */
  freshUntil: number
  /** Of the epoch and the tags, as they were before the body was made. */
  versions: string[]
  /** Names of the tags, where the reader does not know them. */
  tags: string[] | undefined
}

/** One line about the entry, then the body as it is. */
export function encodeEntry({ body, type, etag, freshUntil, versions, tags }: Entry): string {
  return `${JSON.stringify([freshUntil, versions, type, etag ?? null, tags ?? null])}\n${body}`
}

/** `undefined` for what an older or newer version of this code has written. */
export function decodeEntry(text: string): Entry | undefined {
  const end = text.indexOf('\n')
  try {
    const [freshUntil, versions, type, etag, tags] = JSON.parse(text.slice(0, end))
    if (typeof freshUntil !== 'number' || !Array.isArray(versions) || typeof type !== 'string') return undefined
    return { freshUntil, versions, type, etag: etag ?? undefined, tags: tags ?? undefined, body: text.slice(end + 1) }
  } catch {
    return undefined
  }
}
