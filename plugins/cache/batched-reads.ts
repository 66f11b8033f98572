import type { Guard } from '../redis/index.ts'

/**
 * Reads keys, each once however many ask for it in one turn of the event loop, all under one deadline. Nobody joins a
 * read that was sent already: it may be older than what the caller has just changed.
 */
export function batchedReads(guard: Pick<Guard, 'call'>, prefix: string) {
  let batch: Batch | undefined

  return async function read(keys: readonly string[]): Promise<Array<string | undefined>> {
    batch ??= begin()
    const { places } = batch
    const wanted = keys.map((key) => {
      const place = places.get(key) ?? places.size
      places.set(key, place)
      return place
    })
    const values = await batch.values
    return wanted.map((place) => values[place] ?? undefined)
  }

  function begin(): Batch {
    const places = new Map<string, number>()
    const values = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      batch = undefined
      const all = [...places.keys()].map((key) => prefix + key)
      // On a Cluster the keys are in different slots.
      return guard.call((client) =>
        client.isCluster ? Promise.all(all.map((key) => client.get(key))) : client.mget(all)
      )
    })
    return { places, values }
  }
}

interface Batch {
  /** Key → index of its value. */
  places: Map<string, number>
  values: Promise<Array<string | null>>
}
