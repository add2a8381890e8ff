import { appendAgentMemory, dropOldAgentSteps, loadAgentMemory, type MemoryOf } from '#db/agent';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';
import type { Message } from '#agents/model';
import { sealContext, type Vault } from '#vault/index';

interface MemoryDeps {
  readonly db: Db;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
}

const keepStepsMs = 30 * 24 * 3_600_000;

/** What was said before in a conversation of one linked account, oldest first. */
export async function recall(
  deps: MemoryDeps,
  tenant: Tenant,
  of: MemoryOf,
  last: number,
  runKey: string,
): Promise<Message[]> {
  const rows = await loadAgentMemory(deps.db, tenant, of, last, runKey);
  const messages = rows.map(({ role, run_key, content_sealed }): Message => {
    const text = deps.vault.open(content_sealed, contextOf(tenant, run_key, role)).toString('utf8');
    return role === 'user' ? { role, text } : { role, text, calls: [] };
  });
  // A conversation begins with a question: half a pair is cut off.
  return messages[0]?.role === 'assistant' ? messages.slice(1) : messages;
}

/** Keeps a question and its answer, once for each run, and forgets steps of agents that ended long ago. */
export async function remember(
  deps: MemoryDeps,
  tenant: Tenant,
  of: MemoryOf,
  said: { readonly runKey: string; readonly question: string; readonly answer: string },
  now: Date,
): Promise<void> {
  const seal = (role: Message['role'], text: string): Buffer =>
    deps.vault.seal(text, contextOf(tenant, said.runKey, role));
  await appendAgentMemory(deps.db, tenant, of, {
    runKey: said.runKey,
    question: seal('user', said.question),
    answer: seal('assistant', said.answer),
  });
  await dropOldAgentSteps(deps.db, tenant, new Date(now.getTime() - keepStepsMs));
}

function contextOf({ orgId, environment }: Tenant, runKey: string, role: string): string {
  return sealContext('agent_memory.content_sealed', orgId, environment, runKey, role);
}
