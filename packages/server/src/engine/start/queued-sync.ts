import type { Pool } from 'pg';
import { readRunningLimits } from '#db/running-limit';
import type { Clock } from '#domain/clock';
import type { Tenant } from '#domain/tenant';
import type { Plan } from '#engine/plan/workflow-plan';

const limitKnownForMs = 1_000;
const mostAccountsKnown = 10_000;
const lookEveryMs = { first: 20, longest: 250 };

/**
 * Says whether an execution has to wait its turn for a limit, even if somebody waits for its answer. What an account
 * may run is read at most once a second.
 */
export function turnKeeper(deps: { readonly pool: Pool; readonly clock: Clock }) {
  const known = new Map<string, { readonly readAt: number; readonly isLimited: Promise<boolean> }>();

  async function read(tenant: Tenant, linkedAccountId: string): Promise<boolean> {
    const { ofAccount, ofEnvironment } = await readRunningLimits(deps.pool, tenant, linkedAccountId);
    return (ofAccount ?? ofEnvironment) !== null;
  }

  return async (tenant: Tenant, linkedAccountId: string, plan: Plan): Promise<boolean> => {
    if (plan.concurrency !== undefined) return true;
    const now = deps.clock.now().getTime();
    let entry = known.get(linkedAccountId);
    if (entry === undefined || now - entry.readAt > limitKnownForMs) {
      entry = { readAt: now, isLimited: read(tenant, linkedAccountId) };
      known.delete(linkedAccountId);
      known.set(linkedAccountId, entry);
      if (known.size > mostAccountsKnown) known.delete(known.keys().next().value!);
    }
    return entry.isLimited;
  };
}

/** Asks again and again, less and less often, until there is an answer or the time is up. */
export async function askUntil<T>(
  ask: () => Promise<T | undefined>,
  timeoutMs: number,
): Promise<T | undefined> {
  const endsAt = performance.now() + timeoutMs;
  for (let pauseMs = lookEveryMs.first; ; pauseMs = Math.min(lookEveryMs.longest, pauseMs * 1.5)) {
    const answer = await ask();
    const leftMs = endsAt - performance.now();
    if (answer !== undefined || leftMs <= 0) return answer;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, leftMs)));
  }
}
