import { appendAgentStep, loadAgentSteps } from '#db/agent';
import type { Db } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { ModelReply } from '#agents/model';
import { sealContext, type Vault } from '#vault/index';

/** What one step of an agent is. */
interface Entries {
  readonly reply: ModelReply;
  /** A tool is about to be called. */
  readonly call: { readonly name: string };
  readonly result: { readonly text: string; readonly isError: boolean };
}

/** How far an agent has come, step by step; each is committed before the next one is made. */
export interface Transcript {
  /**
   * The next step: the one that is stored, or one that is made now and stored.
   *
   * @returns `key`: the same for this step whoever makes it
   * @throws AppError `agent_failed` when another process is ahead of this one
   */
  next<Kind extends keyof Entries>(
    kind: Kind,
    make: () => Promise<Entries[Kind]>,
  ): Promise<{ value: Entries[Kind]; isNew: boolean; key: string }>;
}

/** @param runKey - execution root, node and batch: the same for every attempt and worker */
export async function openTranscript(
  deps: { readonly db: Db; readonly vault: Vault },
  tenant: Tenant,
  runKey: string,
): Promise<Transcript> {
  const contextOf = (seq: number): string =>
    sealContext('agent_step.entry_sealed', tenant.orgId, tenant.environment, runKey, String(seq));
  const stored = (await loadAgentSteps(deps.db, tenant, runKey)).map(
    ({ seq, entry_sealed: sealed }) =>
      deps.vault.openJson(sealed, contextOf(seq)) as { kind: keyof Entries; value: unknown },
  );
  let at = 0;
  return {
    async next(kind, make) {
      const seq = at;
      at += 1;
      const key = `${runKey}:${seq}`;
      const known = stored[seq];
      if (known !== undefined) {
        if (known.kind !== kind) throw changed('its node was changed while it ran');
        return { value: known.value as Entries[typeof kind], isNew: false, key };
      }
      const value = await make();
      const sealed = deps.vault.sealJson({ kind, value }, contextOf(seq));
      if (!(await appendAgentStep(deps.db, tenant, { runKey, seq, sealed }))) {
        throw changed('another process goes on with it');
      }
      return { value, isNew: true, key };
    },
  };
}

function changed(reason: string): AppError {
  return new AppError('agent_failed', { reason });
}
