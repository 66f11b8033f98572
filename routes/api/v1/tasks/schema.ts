import { Type } from '@sinclair/typebox'
import { CursorQuery, PageQuery } from '../../../../plugins/envelope/schema.ts'
import { DateTime, Id, Nullable, StringEnum, text } from '../../../../plugins/validation/schema.ts'

const message = text(200, { minLength: 1 })
const state = StringEnum(['queued', 'running', 'completed', 'failed', 'cancelled'])

export const Task = Type.Object(
  {
    id: Id(),
    owner_id: Id(),
    message,
    state,
    result: Nullable(text(300)),
    attempts: Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: 'Runs that have begun' }),
    created_at: DateTime(),
    started_at: Nullable(DateTime({ description: 'Of the last run' })),
    finished_at: Nullable(DateTime())
  },
  { $id: 'Task', description: 'Work that is done in the background' }
)

export const TaskCreate = Type.Object({ message }, { $id: 'TaskCreate', additionalProperties: false })

export const TaskParams = Type.Object({ task_id: Id() })

export const TaskQuery = Type.Object(
  { ...PageQuery.properties, state: Type.Optional(state) },
  { additionalProperties: false }
)

export const AllTasksQuery = Type.Object(
  { ...CursorQuery.properties, state: Type.Optional(state) },
  { additionalProperties: false }
)

const count = (description: string) => Type.Integer({ minimum: 0, description })

export const TaskStatistics = Type.Object(
  {
    job: text(60, { examples: ['complete_task'] }),
    waiting: count('Ready to run'),
    delayed: count('Not before a later time, or between two runs'),
    running: count('Being worked'),
    dead: count('Failed for good, until they are retried or a week has passed')
  },
  { $id: 'TaskStatistics', description: 'How many jobs of one kind there are' }
)
