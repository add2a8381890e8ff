import type { Pool } from 'pg';
import { findListeners, type Listener, type ListenerQuery } from '#db/workflow-listeners';
import type { Tenant } from '#domain/tenant';
import { groupCommit, type GroupCommit } from '#db/group-commit';

interface Lookup {
  readonly tenant: Tenant;
  readonly of: ListenerQuery;
}

export type ListenerLookup = GroupCommit<Lookup, readonly Listener[]>;

const largestBatch = 500;

/**
 * Asks who listens to events, once for all that ask the same while an earlier question is on its way. Nobody gets
 * an answer older than his question, so an event never starts what was unpublished before it came.
 */
export function listenerLookup(pool: Pool): ListenerLookup {
  return groupCommit(async (lookups) => {
    const asked = new Map<string, Promise<Listener[]>>();
    return Promise.all(
      lookups.map(({ tenant, of }) => {
        const key = JSON.stringify([tenant, of]);
        const answer = asked.get(key) ?? findListeners(pool, tenant, of);
        asked.set(key, answer);
        return answer;
      }),
    );
  }, largestBatch);
}
