import { type Static, Type } from '@sinclair/typebox'
import { finishTask, requeueTask, startTask } from '../../db/tasks.ts'
import type { Job } from '../../plugins/jobs/index.ts'

const Payload = Type.Object({ message: Type.String({ minLength: 1, maxLength: 200 }) }, { additionalProperties: false })

/** Does the task of its own id: the sample of a job whose owner may watch it. */
const job: Job<'complete_task'> = {
  name: 'complete_task',
  payload: Payload,
  async run({ id, payload, attempt, complete }, app) {
    if (!(await startTask(app.db, id, attempt))) return
    try {
      await complete(async (trx) => {
        const result = `Task ${payload.message} is complete!`
        await finishTask(trx, id, { state: 'completed', result })
        return result
      })
    } catch (error) {
      await requeueTask(app.db, id, attempt)
      throw error
    }
  },
  dead: (trx, { id, attempts }) => finishTask(trx, id, { state: 'failed', attempts })
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    complete_task: Static<typeof Payload>
  }
  interface JobResults {
    complete_task: string
  }
}

export default job
