import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { CursorOptions } from '../../../../db/cursors.ts'
import { cursorEnvelope, page } from '../../../../plugins/envelope/schema.ts'
import { listAuditEvents } from './queries.ts'
import { AuditEvent, AuditEventQuery } from './schema.ts'

const auditEvents: FastifyPluginAsyncTypebox<CursorOptions> = async (app, { cursors }) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:audit_event:all', apiKey: true } },
      schema: {
        operationId: 'listAuditEvents',
        tags: ['audit'],
        summary: 'List audit events',
        description: 'What happened, the newest first. All filters given must match.',
        querystring: AuditEventQuery,
        response: { 200: cursorEnvelope(AuditEvent) }
      }
    },
    async ({ query }) => page('Audit events', await listAuditEvents(app.db, cursors, query))
  )
}

export default auditEvents
