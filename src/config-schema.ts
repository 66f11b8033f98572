import { type Static, Type } from '@sinclair/typebox'
import { access } from './config-schema/access.ts'
import { application } from './config-schema/application.ts'
import { storage } from './config-schema/storage.ts'
import { work } from './config-schema/work.ts'

/** Every variable the service reads, with type, bounds, default and meaning. */
export const configSchema = Type.Object({ ...application, ...storage, ...access, ...work })

export type ConfigValues = Static<typeof configSchema>
export type VariableName = keyof ConfigValues
