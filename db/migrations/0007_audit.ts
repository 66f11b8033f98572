export { down, up } from '../../plugins/audit/migration.ts'
