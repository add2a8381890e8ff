import type { Pool } from 'pg';
import {
  describeEnds,
  insertAlertEvent,
  takeAlertEvents,
  type AlertEvent,
  type EndedExecution,
} from '#db/alert-event';
import { countEnds, noteCompleted, noteWindow, takeWindowRules, type WindowRule } from '#db/alert-window';
import { clientTransaction } from '#db/client-transaction';
import { gatherMails, insertDeliveries, type NewDelivery } from '#db/webhook-delivery';
import type { Clock } from '#domain/clock';
import { newId } from '#domain/ids';
import { failedEnds, windowEvents } from '#webhooks/events';
import { payloadOf } from '#webhooks/payload';
import { summaryOf } from '#webhooks/summary';
import { judge } from '#webhooks/window';

export interface DispatchDeps {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly config: { readonly publicUrl: string };
}

const eventsAtOnce = 500;
const rulesAtOnce = 100;
const checkEveryMs = 15_000;
/** So long a mail gathers what happens, from the first of it on. */
const mailGathersMs = 60_000;
export const mostMailLines = 20;

/**
 * Empties the outbox: events to tell become deliveries, ends to count are counted, and when nothing is left the rules
 * about stretches of time are looked at. Each event is taken out by the transaction that makes something of it, so it
 * counts exactly once, whoever does this and whenever it dies.
 */
export async function dispatchAlerts(deps: DispatchDeps): Promise<void> {
  while ((await dispatchSome(deps)) === 'more');
}

function dispatchSome(deps: DispatchDeps): Promise<'more' | 'done'> {
  const now = deps.clock.now();
  return clientTransaction(deps.pool, async (client) => {
    const taken = await takeAlertEvents(client, eventsAtOnce);
    if (taken === undefined) return 'done';
    const { events } = taken;
    const counted = events.filter(isCounted);
    const told = events.filter((event) => !isCounted(event));
    await countEnds(
      client,
      counted
        .filter(({ watches }) => watches === 'failure_rate')
        .map((event) => ({ ...event, isFailure: failedEnds.has(event.event) })),
    );
    await noteCompleted(
      client,
      counted.filter(({ watches }) => watches === 'no_run'),
    );
    const ends = await describeEnds(
      client,
      told.flatMap(({ executionId }) => executionId ?? []),
    );
    await insertDeliveries(
      client,
      told.filter(({ kind }) => kind !== 'email').map((event) => webhook(event, endOf(event, ends), now)),
    );
    await gatherMails(client, mailsOf(told, ends, now, new URL(deps.config.publicUrl).origin), mostMailLines);
    if (taken.mayBeMore) return 'more';
    // Only now is everything that ended in the window known.
    const rules = await takeWindowRules(client, now, rulesAtOnce);
    let news = 0;
    for (const rule of rules) {
      const verdict = judge(rule, now);
      const nextCheckAt = new Date(now.getTime() + checkEveryMs);
      await noteWindow(client, rule, { ...verdict, nextCheckAt });
      if (verdict.event === undefined) continue;
      await insertAlertEvent(client, rule, verdict.event, detailOf(rule), now);
      news += 1;
    }
    return news > 0 || rules.length === rulesAtOnce ? 'more' : 'done';
  });
}

/** A rule about a stretch of time counts ends, and tells nothing but its own two events. */
function isCounted({ watches, event }: AlertEvent): boolean {
  if (watches === 'events') return false;
  const { fires, recovers } = windowEvents[watches];
  return event !== fires && event !== recovers;
}

function endOf(
  { executionId }: AlertEvent,
  ends: ReadonlyMap<string, EndedExecution>,
): EndedExecution | undefined {
  return executionId === null ? undefined : ends.get(executionId);
}

function detailOf(rule: WindowRule): Record<string, unknown> {
  const shared = {
    slug: rule.appSlug,
    workflow_ids: rule.workflowIds,
    window_minutes: rule.windowMinutes,
  };
  if (rule.watches === 'no_run') {
    return { ...shared, last_completed_at: rule.lastCompletedAt?.toISOString() ?? null };
  }
  const { ended, failed, thresholdPercent } = rule;
  return { ...shared, threshold_percent: thresholdPercent, ended, failed };
}

function webhook(event: AlertEvent, end: EndedExecution | undefined, now: Date): NewDelivery {
  const content = JSON.stringify(payloadOf(event, end));
  return { ...delivery(event, now), channel: 'webhook', content, nextAt: now };
}

function mailsOf(
  told: readonly AlertEvent[],
  ends: ReadonlyMap<string, EndedExecution>,
  now: Date,
  origin: string,
): NewDelivery[] {
  const byRule = Map.groupBy(
    told.filter(({ kind }) => kind === 'email'),
    ({ ruleId }) => ruleId,
  );
  return Array.from(byRule.values(), (events) => {
    const lines = events
      .slice(0, mostMailLines)
      .map(
        (event) => `${event.at.toISOString()}  ${summaryOf(payloadOf(event, endOf(event, ends)), origin)}`,
      );
    const nextAt = new Date(now.getTime() + mailGathersMs);
    const content = lines.join('\n');
    return { ...delivery(events[0]!, now), channel: 'email', content, count: events.length, nextAt };
  });
}

function delivery(event: AlertEvent, now: Date) {
  const { orgId, environment, ruleId, executionId } = event;
  return {
    id: newId(now.getTime()),
    orgId,
    environment,
    ruleId,
    event: event.event,
    executionId,
    count: 1,
    createdAt: now,
  };
}
