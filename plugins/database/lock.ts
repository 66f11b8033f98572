import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'

/** Who holds a lock: the id names this holder among all that ever were. */
interface Holder {
  id: string
  pid: number
  /** When the process started, in the kernel's own count; `null` where the system does not tell. */
  started: string | null
}

/** Ids of the locks this process holds: a container's process is often the same pid as its dead predecessor. */
const heldHere = new Set<string>()

/**
 * Takes the lock file at `path` for this process; a dead holder's lock is taken over.
 *
 * @returns releases it
 * @throws when a live process holds it
 */
export async function acquireLock(path: string, what: string): Promise<() => Promise<void>> {
  const holder: Holder = { id: randomUUID(), pid: process.pid, started: await startOf(process.pid) }
  const draft = `${path}.${holder.id}`
  await writeFile(draft, JSON.stringify(holder), { mode: 0o600 })
  heldHere.add(holder.id)
  try {
    await take(path, draft, what)
  } catch (error) {
    heldHere.delete(holder.id)
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  return async () => {
    heldHere.delete(holder.id)
    await rm(path, { force: true })
  }
}

/*
 * `link` is atomic and brings the content along, so one starter wins and nobody reads a half-written lock.
 * Only the one who holds the lock *on the dead holder's id* may replace a dead holder's lock, and looks again first;
 * deleting it outright could delete the lock of somebody quicker. That second lock is taken the same way, so a
 * starter that dies in between blocks nobody.
 */
async function take(path: string, draft: string, what: string): Promise<void> {
  for (;;) {
    if (await linkNew(draft, path)) return
    const holder = await readHolder(path)
    if (holder === undefined) continue
    if (await isAlive(holder)) throw new Error(`${what} is in use by process ${holder.pid}`)
    const succession = `${path}.${holder.id}`
    await take(succession, draft, what)
    try {
      if ((await readHolder(path))?.id === holder.id) return await rename(succession, path)
    } finally {
      await rm(succession, { force: true })
    }
  }
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** `undefined` when it is gone. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    // Written by this file alone.
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw new Error(`The lock file ${path} cannot be read; remove it when no process uses the data`, { cause: error })
  }
}

async function isAlive({ id, pid, started }: Holder): Promise<boolean> {
  if (pid === process.pid) return heldHere.has(id)
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (!hasCode(error, 'EPERM')) return false
  }
  // The pid may have been given to another process since.
  return started === null || (await startOf(pid)) === started
}

/**
 * Field 22 of /proc/<pid>/stat; the name in field 2 may hold anything, so count from its closing parenthesis. `null` also for
 * what has ended and was not waited for by its parent.
 */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === 'Z' ? null : (fields[18] ?? null)
}

const hasCode = (error: unknown, code: string) => error instanceof Error && 'code' in error && error.code === code
