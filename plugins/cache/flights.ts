/** A value that is being made, or was a moment ago. */
export interface Flight<V> {
  /** Gives the value to all who wait and will join; `null`: there is none to share. */
  land(value: V | null): void
  /** Nobody joins any more. */
  end(): void
  /** The value; `null` when there is none, or none in time. */
  wait(): Promise<V | null>
}

/** Lets one of those who want the same value at the same moment make it. */
export function createFlights<V>(waitMs: number) {
  const flights = new Map<string, Flight<V>>()

  return {
    find: (key: string): Flight<V> | undefined => flights.get(key),

    begin(key: string): Flight<V> {
      const { promise, resolve } = Promise.withResolvers<V | null>()
      const flight: Flight<V> = {
        land(value) {
          clearTimeout(timer)
          resolve(value)
        },
        end() {
          if (flights.get(key) === flight) flights.delete(key)
        },
        wait: () => promise
      }
      // A leader that never comes back must not keep others waiting, nor the next one from trying.
      const timer = setTimeout(() => {
        flight.land(null)
        flight.end()
      }, waitMs)
      flights.set(key, flight)
      return flight
    }
  }
}
