/** Distinct values that are kept at most. */
const MAX_VALUES = 1000

const known = new Map<string, object>()

/**
 * The one copy of what many rows have alike, frozen: it takes less memory and stays in the processor's caches, where ten
 * thousand copies do not. For values that are told apart by their JSON.
 */
export function shared<T extends readonly string[] | Readonly<Record<string, string>>>(value: T): Readonly<T> {
  const text = JSON.stringify(value)
  const kept = known.get(text)
  // Of the same JSON, so of the same type.
  if (kept !== undefined) return kept as Readonly<T>
  if (known.size >= MAX_VALUES) known.clear()
  known.set(text, Object.freeze(value))
  return value
}
