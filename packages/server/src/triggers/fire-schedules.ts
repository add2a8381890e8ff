import type { PoolClient } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import {
  advanceSchedules,
  insertTicks,
  newTicks,
  postponeSchedule,
  takeDueSchedules,
  tickKey,
  type DueSchedule,
  type ScheduleProgress,
  type Tick,
} from '#db/schedule';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import { AppError } from '#domain/errors';
import { readSchedule, type ScheduleSpec } from '#domain/schedule-spec';
import { decideDue, jitterMs, nextTime } from '#domain/schedule-times';
import { passesConditions, readTriggerConditions } from '#domain/trigger-guard';
import { isDeepStrictEqual } from 'node:util';
import type { StartInput } from '#engine/index';
import type { TriggerDeps } from '#triggers/deps';

const mostAtOnce = 200;
const firstRetryMs = 60_000;
const lastRetryMs = 3_600_000;

/**
 * Fires every schedule that is due, so that each occurrence starts at most one execution however many processes do
 * this at once: rows are taken by lock, and an occurrence is written in the transaction that writes its execution.
 *
 * @returns how many rows were looked at; as many as `limit` means that there may be more
 */
export async function fireSchedules(deps: TriggerDeps, limit: number = mostAtOnce): Promise<number> {
  const now = deps.clock.now();
  try {
    return await fire(deps, now, limit);
  } catch (error) {
    // One that cannot start must not hold up the others: each for itself now.
    deps.log.warn({ err: error }, 'Some schedules could not be fired together; each is tried alone.');
    return fireAlone(deps, now, limit);
  }
}

async function fire(deps: TriggerDeps, now: Date, limit: number, only?: readonly string[]): Promise<number> {
  const result = await clientTransaction(deps.pool, async (client) => {
    const due = await takeDueSchedules(client, now, limit, only);
    if (due.length === 0) return { looked: 0, started: 0 };
    const decided = due.map((schedule) => decide(schedule, now));
    const started = await startDue(deps, client, decided, now);
    await advanceSchedules(
      client,
      decided.map(({ progress }) => progress),
    );
    return { looked: due.length, started };
  });
  if (result.started > 0) deps.engine.wake();
  return result.looked;
}

async function fireAlone(deps: TriggerDeps, now: Date, limit: number): Promise<number> {
  const due = await clientTransaction(deps.pool, (client) => takeDueSchedules(client, now, limit));
  for (const seen of due) {
    try {
      await fire(deps, now, 1, [seen.id]);
    } catch (error) {
      deps.log.warn({ err: error, scheduleId: seen.id }, 'A schedule could not be fired; it is tried again.');
      const waitMs = Math.min(firstRetryMs * 2 ** Math.min(seen.failures, 10), lastRetryMs);
      // What keeps it back (a full queue) may pass, and the catch-up policy judges the occurrence then.
      const nextAt = new Date(now.getTime() + waitMs);
      await postponeSchedule(deps.pool, seen, { nextAt, error: reasonOf(error) });
    }
  }
  return due.length;
}

function reasonOf(error: unknown): string {
  return error instanceof AppError
    ? error.message
    : 'It could not be started because of a fault on our side.';
}

interface Decided {
  readonly schedule: DueSchedule;
  /** Occurrences to fire. */
  readonly fire: readonly Date[];
  /** Why nothing may be started for them. */
  readonly refusal: string | undefined;
  readonly progress: ScheduleProgress;
}

/** What to do about a row that wants attention. Pure. */
function decide(schedule: DueSchedule, now: Date): Decided {
  const { id, declared, due_at: due } = schedule;
  const read = readSchedule(declared);
  if ('problems' in read) {
    const error = read.problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    return { schedule, fire: [], refusal: undefined, progress: { id, dueAt: null, nextAt: null, error } };
  }
  // New, or changed by a publish: it begins with the first occurrence from now on.
  if (due === null) return progress(schedule, read.spec, [], undefined, nextTime(read.spec, now));
  const { fire, next } = decideDue(read.spec, due, now);
  return progress(schedule, read.spec, fire, refusalOf(schedule), next);
}

function progress(
  schedule: DueSchedule,
  spec: ScheduleSpec,
  fire: readonly Date[],
  refusal: string | undefined,
  due: Date | undefined,
): Decided {
  return {
    schedule,
    fire,
    refusal,
    progress: { id: schedule.id, dueAt: due ?? null, nextAt: attentionAt(schedule, spec, due), error: null },
  };
}

/** Those that a start node made for many accounts are spread over a moment; one made by call is punctual. */
function attentionAt(schedule: DueSchedule, spec: ScheduleSpec, due: Date | undefined): Date | null {
  if (due === undefined) return null;
  if (schedule.is_by_api) return due;
  const key = `${schedule.workflow?.id ?? ''} ${schedule.linked_account_id} ${schedule.config_id}`;
  return new Date(due.getTime() + jitterMs(spec, due, key));
}

/** Asked again at the moment of firing, so that no registration that somebody forgot can start anything. */
function refusalOf(schedule: DueSchedule): string | undefined {
  const { workflow, is_by_api, is_target, declared, udf, linked_account_id } = schedule;
  if (workflow === null) return 'The workflow does not exist any more.';
  if (workflow.version === null) return 'The workflow is not published.';
  if (workflow.ownerId !== null && workflow.ownerId !== linked_account_id) {
    return 'The workflow belongs to another linked account.';
  }
  if (!passesTrigger(schedule)) return 'The conditions of the trigger do not hold.';
  if (is_by_api) return undefined;
  if (!is_target) return 'The account has the workflow switched off.';
  if (!isDeepStrictEqual(workflow.trigger, declared)) return 'The published version has another schedule.';
  if (!passesAccessFilter(readAccessFilter(workflow.accessFilter), udf)) {
    return 'The account does not pass the access filter of the workflow.';
  }
  return undefined;
}

/** Starts what is to be fired and writes the occurrences, in the caller's transaction. */
async function startDue(
  { engine }: TriggerDeps,
  client: PoolClient,
  decided: readonly Decided[],
  now: Date,
): Promise<number> {
  const wanted = decided.flatMap(({ schedule, fire, refusal }) =>
    fire.map((dueAt) => ({ schedule, dueAt, refusal, scheduleId: schedule.id })),
  );
  if (wanted.length === 0) return 0;
  const fresh = await newTicks(client, wanted);
  const open = wanted.filter(({ scheduleId, dueAt }) => fresh.has(tickKey(scheduleId, dueAt)));
  const starting = open.filter(({ refusal }) => refusal === undefined);
  const executionIds = await engine.startInTransaction(
    client,
    starting.map(({ schedule }) => ({ tenant: tenantOf(schedule), input: startOf(schedule) })),
  );
  const started = starting.map((tick, index) => ({ ...tick, executionId: executionIds[index]! }));
  const refused = open.flatMap((tick) =>
    tick.refusal === undefined ? [] : [{ ...tick, reason: tick.refusal }],
  );
  const ticks: Tick[] = [...started, ...refused].map(({ schedule, ...tick }) => ({
    ...tick,
    tenant: tenantOf(schedule),
  }));
  await insertTicks(client, ticks, now);
  return started.length;
}

/** One made by call asks the workflow's trigger too, where that is a schedule. */
function passesTrigger(schedule: DueSchedule): boolean {
  const { workflow, account_id: accountId, config_id: configId } = schedule;
  const trigger = workflow?.trigger ?? {};
  if (trigger['kind'] !== 'schedule') return true;
  const arrival = { payload: payloadOf(schedule), accountId, configId, workflowId: workflow!.id };
  return passesConditions(readTriggerConditions(trigger), arrival);
}

function payloadOf({ is_by_api, payload, declared }: DueSchedule): unknown {
  return (is_by_api ? payload : declared['payload']) ?? {};
}

function tenantOf({ org_id, environment }: DueSchedule) {
  return { orgId: org_id, environment };
}

function startOf(schedule: DueSchedule): StartInput {
  const { workflow } = schedule;
  return {
    workflowId: workflow!.id,
    version: workflow!.version!,
    linkedAccount: { id: schedule.linked_account_id, accountId: schedule.account_id },
    configId: schedule.config_id,
    slug: workflow!.appSlug ?? undefined,
    source: 'schedule',
    payload: payloadOf(schedule),
  };
}
