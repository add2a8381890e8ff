import type { FastifyRequest } from 'fastify';
import { callerOf } from '#api/caller';
import type { WorkflowCaller } from '#workflows/index';

/** Who acts on workflows by the wire. */
export function workflowCaller(request: FastifyRequest): WorkflowCaller {
  const { tenant, linkedAccount, kind, credentialId } = callerOf(request);
  const isCustomer = kind === 'session';
  return {
    tenant,
    linkedAccount,
    isCustomer,
    author:
      isCustomer && linkedAccount !== undefined
        ? {
            kind: 'linked_account',
            id: linkedAccount.accountId,
            name: linkedAccount.name ?? linkedAccount.accountId,
          }
        : { kind: 'api_key', id: credentialId, name: 'API key' },
  };
}
