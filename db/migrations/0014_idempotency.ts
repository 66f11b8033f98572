export { down, up } from '../../plugins/idempotency/migration.ts'
