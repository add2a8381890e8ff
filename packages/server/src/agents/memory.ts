import { appendAgentMemory, dropOldAgentSteps, loadAgentMemory, type MemoryOf } from '#db/agent';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';
import type { Message } from '#agents/model';

const keepStepsMs = 30 * 24 * 3_600_000;

/** What was said before in a conversation of one linked account, oldest first. */
export async function recall(
  deps: { readonly db: Db },
  tenant: Tenant,
  of: MemoryOf,
  last: number,
  runKey: string,
): Promise<Message[]> {
  const rows = await loadAgentMemory(deps.db, tenant, of, last, runKey);
  const messages = rows.map(({ role, content }): Message =>
    role === 'user' ? { role, text: content } : { role, text: content, calls: [] },
  );
  // A conversation begins with a question: half a pair is cut off.
  return messages[0]?.role === 'assistant' ? messages.slice(1) : messages;
}

/** Keeps a question and its answer, once for each run, and forgets steps of agents that ended long ago. */
export async function remember(
  deps: { readonly db: Db },
  tenant: Tenant,
  of: MemoryOf,
  said: { readonly runKey: string; readonly question: string; readonly answer: string },
  now: Date,
): Promise<void> {
  await appendAgentMemory(deps.db, tenant, of, said);
  await dropOldAgentSteps(deps.db, tenant, new Date(now.getTime() - keepStepsMs));
}
