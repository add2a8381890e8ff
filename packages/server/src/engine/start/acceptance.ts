import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { triggerScope, type InboxKey } from '#db/inbox';
import type { InboxSource } from '#db/schema';
import type { Listener } from '#db/workflow-listeners';
import type { Clock } from '#domain/clock';
import { newId } from '#domain/ids';
import type { StoredValue } from '#db/journal-flush';
import { createMasker } from '#domain/masking/index';
import type { Tenant } from '#domain/tenant';
import { dedupKeyOf, passesConditions, type Arrival, type DedupRule } from '#domain/trigger-guard';
import type { AcceptedEvent, Acceptance, WantedStart } from '#engine/start/accept-event';
import type { GroupCommit } from '#db/group-commit';
import type { ListenerLookup } from '#engine/start/listener-lookup';
import { newExecution, secretsInTrigger } from '#engine/start/new-execution';
import type { PlanCache } from '#engine/plan/plan-cache';
import type { QueuePlaces } from '#engine/start/queue-places';
import { hidden } from '#engine/recording/masked-row';
import type { StartInput } from '#engine/start/start-input';
import { storedValue } from '#engine/stored-value';
import type { Plan } from '#engine/plan/workflow-plan';
import type { Vault } from '#vault/index';

/** Something that came in for one linked account. */
export interface EventInput {
  /** An organisation's event unless it says otherwise. */
  readonly source?: Exclude<InboxSource, 'api_call'>;
  /** The event's name; of an app's event `slug/trigger`; null when a webhook URL was called. */
  readonly event: string | null;
  readonly payload: unknown;
  /** The caller's headers as nodes and the log may see them. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  /** All that were received, names in lower case, for conditions and keys; they are not stored. */
  readonly requestHeaders?: Readonly<Record<string, unknown>> | undefined;
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly configId: string;
  readonly slug?: string | undefined;
  readonly instanceTag?: string | undefined;
  /** The workflows it is for; absent: all that listen to the event. */
  readonly listeners?: readonly (Listener & { readonly configId?: string })[];
  /** A repeat of this key inside its window starts nothing, whoever listens. */
  readonly dedup?: { readonly scope: string; readonly key: string; readonly windowS: number } | undefined;
}

export interface EventAnswer {
  /** How many executions it started. */
  readonly executions: number;
  readonly executionIds: readonly string[];
  /** Everybody who listens has had it already: nothing was started. */
  readonly isDuplicate: boolean;
}

interface AcceptanceDeps {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly plans: PlanCache;
  readonly places: QueuePlaces;
  readonly listeners: ListenerLookup;
  readonly events: GroupCommit<AcceptedEvent, Acceptance>;
}

/**
 * Accepts what comes in: finds who listens, asks each trigger's conditions and key, and commits the arrival with
 * the executions it starts. When it resolves, all of that is durable.
 */
export function createAcceptance(deps: AcceptanceDeps) {
  const { clock, log, plans, places } = deps;

  function listenersOf(tenant: Tenant, input: EventInput): Promise<readonly Listener[]> {
    return deps.listeners.commit({
      tenant,
      of: {
        event: input.event ?? '',
        linkedAccountId: input.linkedAccount.id,
        configId: input.configId,
        slug: input.slug,
      },
    });
  }

  /** The row for one listener, or that its conditions do not hold. */
  async function judge(
    tenant: Tenant,
    input: EventInput,
    listener: Listener & { readonly configId?: string },
    now: Date,
  ): Promise<Judged> {
    const { workflowId, version } = listener;
    const configId = listener.configId ?? input.configId;
    const plan = await plans.get(tenant, workflowId, version);
    const arrival: Arrival = {
      payload: input.payload,
      headers: input.requestHeaders,
      eventName: input.event ?? undefined,
      accountId: input.linkedAccount.accountId,
      configId,
      workflowId,
    };
    if (!passesConditions(plan.guard, arrival)) return { plan, secrets: [], passedOver: workflowId };
    const start: StartInput = {
      workflowId,
      version,
      slug: listener.slug,
      linkedAccount: input.linkedAccount,
      configId,
      source: input.source ?? 'event',
      triggerEvent: input.event ?? undefined,
      payload: input.payload,
      headers: input.headers,
      instanceTag: input.instanceTag,
    };
    const secrets = await secretsInTrigger(deps, tenant, start, plan);
    const begin = { mode: 'async', owner: null, now } as const;
    const wanted = {
      execution: newExecution(deps.vault, tenant, { ...start, secrets }, plan, begin),
      dedup: triggerKey(log, tenant, plan.guard.dedup, arrival, input.linkedAccount.id),
    };
    return { plan, secrets, wanted };
  }

  return async function accept(tenant: Tenant, input: EventInput): Promise<EventAnswer> {
    const listeners = input.listeners ?? (await listenersOf(tenant, input));
    const now = clock.now();
    const judged = await Promise.all(listeners.map((listener) => judge(tenant, input, listener, now)));
    const starts = judged.flatMap(({ wanted }) => wanted ?? []);
    if (starts.length > 0) await places.reserve(tenant, input.linkedAccount.id, starts.length);
    const { executionIds, isDuplicate } = await deps.events.commit({
      inbox: {
        id: newId(now.getTime()),
        tenant,
        source: input.source ?? 'event',
        event: input.event,
        linkedAccountId: input.linkedAccount.id,
        configId: input.configId,
        appSlug: input.slug ?? null,
        payload: shownToAll(input.payload, judged),
        receivedAt: now,
      },
      dedup: input.dedup === undefined ? undefined : { tenant, ...input.dedup },
      starts,
      passedOver: judged.flatMap(({ passedOver }) => passedOver ?? []),
    });
    return { executions: executionIds.length, executionIds, isDuplicate };
  };
}

/** What is to become of an arrival for one of those who listen. */
interface Judged {
  readonly plan: Plan;
  /** Those that its templates may read. */
  readonly secrets: readonly unknown[];
  readonly wanted?: WantedStart;
  /** The workflow, when its conditions do not hold. */
  readonly passedOver?: string;
}

/** The payload for the log of what came in: without what anybody who listens keeps secret. */
function shownToAll(payload: unknown, judged: readonly Judged[]): StoredValue {
  const rules = judged.map(({ plan }) => plan.nodes[plan.start]!.output);
  if (rules.some(({ isHidden }) => isHidden)) return storedValue(hidden);
  const paths = rules.flatMap(({ encrypt }) => encrypt);
  const masker = createMasker();
  for (const { secrets } of judged) masker.learn(secrets);
  const whole = storedValue(payload);
  if (paths.length === 0 && masker.isEmpty) return whole;
  return storedValue(masker.value(JSON.parse('json' in whole ? whole.json : whole.content), paths).shown);
}

/** The key under which an arrival is one of its workflow's; undefined: it is not compared with others. */
export function triggerKey(
  log: Pick<Logger, 'warn'>,
  tenant: Tenant,
  rule: DedupRule | undefined,
  arrival: Pick<Arrival, 'payload' | 'headers' | 'workflowId'>,
  linkedAccountId: string,
): InboxKey | undefined {
  const found = dedupKeyOf(rule, arrival);
  if (found === undefined) return undefined;
  if ('missing' in found) {
    log.warn(
      { workflowId: arrival.workflowId, part: found.missing },
      'What came in lacks a part of its idempotency key: it is not compared with others.',
    );
    return undefined;
  }
  const scope = triggerScope(arrival.workflowId, linkedAccountId);
  return { tenant, scope, key: found.key, windowS: found.windowS };
}
