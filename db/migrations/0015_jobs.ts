export { down, up } from '../../plugins/jobs/migration.ts'
