import type { FastifyRequest } from 'fastify';
import { consoleOf } from '#api/admin/guard';
import type { WorkflowCaller } from '#workflows/index';

/** Who acts on the organisation's workflows by the dashboard. */
export function consoleWorkflowCaller(request: FastifyRequest): WorkflowCaller {
  const { tenant, user } = consoleOf(request);
  return { tenant, isCustomer: false, author: { kind: 'user', id: user.id, name: user.name } };
}
