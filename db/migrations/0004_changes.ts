export { down, up } from '../../plugins/changes/migration.ts'
