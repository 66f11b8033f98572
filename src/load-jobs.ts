import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Job } from '../plugins/jobs/index.ts'

const folder = join(import.meta.dirname, 'jobs')

/**
 * The jobs of the service: the default export of each file in `src/jobs/`.
 *
 * @throws when a file has none
 */
export async function loadJobs(): Promise<Job[]> {
  const files = (await readdir(folder)).filter((file) => /\.[jt]s$/.test(file) && !file.endsWith('.d.ts')).sort()
  return Promise.all(
    files.map(async (file) => {
      const { default: job } = await import(pathToFileURL(join(folder, file)).href)
      if (typeof job?.run !== 'function') throw new Error(`src/jobs/${file} must export a job by default`)
      return job
    })
  )
}
