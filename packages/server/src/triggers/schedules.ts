import { clientTransaction } from '#db/client-transaction';
import { findExecutableWorkflow } from '#db/executable-workflow';
import {
  deleteScheduleRow,
  findSchedule,
  insertSchedule,
  listSchedules,
  saveSchedule,
  type ListedSchedule,
  type StoredSchedule,
} from '#db/schedule';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import { newScheduleProblems, readSchedule, type ScheduleSpec } from '#domain/schedule-spec';
import { nextTime } from '#domain/schedule-times';
import type { Tenant } from '#domain/tenant';
import type { TriggerDeps } from '#triggers/deps';

/** Schedules that the SaaS company, or an account itself, makes by call for one account (spec/api §4.10). */

type ScheduleDeps = Pick<TriggerDeps, 'pool' | 'clock'>;

export interface ScheduleCaller {
  readonly tenant: Tenant;
  readonly linkedAccount: LinkedAccountRef;
}

/** When it fires, as the wire spells it (domain/schedule-spec), and what its executions get. */
export interface ScheduleInput {
  readonly declared: Readonly<Record<string, unknown>>;
  readonly payload?: Readonly<Record<string, unknown>> | null | undefined;
}

const mostPerAccount = 1_000;

/**
 * Makes a schedule of a workflow for the caller's account. Bound to an alias, it follows the alias: whatever workflow
 * of the app has it when the time comes is what runs.
 *
 * @throws AppError `invalid_request` naming the field, `workflow_not_found`, `workflow_forbidden`,
 * `workflow_not_published`, `too_many_schedules`
 */
export async function registerSchedule(
  deps: ScheduleDeps,
  { tenant, linkedAccount }: ScheduleCaller,
  of: { readonly workflow: string; readonly slug: string; readonly configId?: string | undefined },
  input: ScheduleInput,
): Promise<StoredSchedule> {
  const now = deps.clock.now();
  const spec = readNew(input.declared, now);
  const workflow = await findExecutableWorkflow(deps.pool, tenant, of.workflow, of.slug);
  if (workflow === undefined) throw new AppError('workflow_not_found', { id: of.workflow });
  if (workflow.linkedAccountId !== null && workflow.linkedAccountId !== linkedAccount.id) {
    throw new AppError('workflow_forbidden', { id: of.workflow });
  }
  if (workflow.version === null) throw new AppError('workflow_not_published', { id: of.workflow });
  const id = newId(now.getTime());
  const isStored = await insertSchedule(
    deps.pool,
    tenant,
    {
      id,
      linkedAccountId: linkedAccount.id,
      configId: of.configId ?? linkedAccount.accountId,
      workflow: workflow.isByAlias ? { alias: of.workflow, appSlug: workflow.slug } : { id: workflow.id },
      declared: input.declared,
      payload: input.payload ?? undefined,
      dueAt: nextTime(spec, now)!,
      now,
    },
    mostPerAccount,
  );
  if (!isStored) throw new AppError('too_many_schedules', { limit: mostPerAccount });
  return requireSchedule(await findSchedule(deps.pool, tenant, linkedAccount.id, id));
}

/**
 * Changes the parts that are given; when it fires is worked out anew from now on.
 *
 * @throws AppError `schedule_not_found`, `invalid_request`
 */
export function updateSchedule(
  deps: ScheduleDeps,
  caller: ScheduleCaller,
  id: string,
  input: ScheduleInput,
): Promise<StoredSchedule> {
  return change(deps, caller, id, (before, now) => {
    const declared = merged(before.declared, input.declared);
    const isRetimed = Object.keys(input.declared).length > 0;
    const spec = isRetimed ? readNew(declared, now) : undefined;
    return {
      declared,
      payload: input.payload === undefined ? before.payload : input.payload,
      isPaused: before.is_paused,
      inactiveFrom: before.inactive_from,
      dueAt: spec === undefined ? before.due_at : nextTime(spec, now)!,
    };
  });
}

/** Stops a schedule until it is resumed. @throws AppError `schedule_not_found`, `schedule_already` */
export function pauseSchedule(
  deps: ScheduleDeps,
  caller: ScheduleCaller,
  id: string,
): Promise<StoredSchedule> {
  return change(deps, caller, id, (before, now) => {
    if (before.is_paused) throw new AppError('schedule_already', { state: 'Inactive' });
    return { ...kept(before), isPaused: true, inactiveFrom: now };
  });
}

/**
 * Lets a schedule go on with its first occurrence from now: what it missed while it was paused is not caught up.
 *
 * @throws AppError `schedule_not_found`, `schedule_already`
 */
export function resumeSchedule(
  deps: ScheduleDeps,
  caller: ScheduleCaller,
  id: string,
): Promise<StoredSchedule> {
  return change(deps, caller, id, (before, now) => {
    if (!before.is_paused) throw new AppError('schedule_already', { state: 'Active' });
    const read = readSchedule(before.declared);
    const dueAt = 'spec' in read ? (nextTime(read.spec, now) ?? null) : null;
    return { ...kept(before), isPaused: false, inactiveFrom: null, dueAt };
  });
}

/** @throws AppError `schedule_not_found` */
export async function deleteSchedule(deps: ScheduleDeps, caller: ScheduleCaller, id: string): Promise<void> {
  const isDeleted = await deleteScheduleRow(deps.pool, caller.tenant, caller.linkedAccount.id, id);
  if (!isDeleted) throw new AppError('schedule_not_found', undefined);
}

/** A page of the schedules that were made by call for the caller's account, newest first. */
export function schedulesOf(
  deps: ScheduleDeps,
  { tenant, linkedAccount }: ScheduleCaller,
  page: { readonly page: number; readonly limit: number },
): Promise<{ rows: ListedSchedule[]; total: number }> {
  return listSchedules(deps.pool, tenant, { linkedAccountId: linkedAccount.id, isByApi: true }, page);
}

interface Change {
  readonly declared: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  readonly isPaused: boolean;
  readonly inactiveFrom: Date | null;
  readonly dueAt: Date | null;
}

/** Under the row's lock: a scheduler that is about to fire it waits, and then sees the change. */
async function change(
  deps: ScheduleDeps,
  { tenant, linkedAccount }: ScheduleCaller,
  id: string,
  decide: (before: StoredSchedule, now: Date) => Change,
): Promise<StoredSchedule> {
  return clientTransaction(deps.pool, async (client) => {
    const before = requireSchedule(await findSchedule(client, tenant, linkedAccount.id, id, { lock: true }));
    const now = deps.clock.now();
    await saveSchedule(client, tenant, { id, now, ...decide(before, now) });
    return requireSchedule(await findSchedule(client, tenant, linkedAccount.id, id));
  });
}

function kept(before: StoredSchedule): Omit<Change, 'isPaused' | 'inactiveFrom'> {
  return { declared: before.declared, payload: before.payload, dueAt: before.due_at };
}

/** A changed kind leaves behind what only the other kind has. */
function merged(
  before: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const after = { ...before, ...given };
  if (given['trigger_type'] !== undefined || before['trigger_type'] === undefined) return after;
  if (given['interval_dates'] !== undefined) return { ...after, trigger_type: 'interval' };
  return given['regex'] === undefined ? after : { ...after, trigger_type: 'cron' };
}

function readNew(declared: Readonly<Record<string, unknown>>, now: Date): ScheduleSpec {
  const read = readSchedule(declared);
  const problems = 'problems' in read ? read.problems : newScheduleProblems(read.spec, now);
  if (problems.length > 0) throw new AppError('invalid_request', { problems });
  return (read as { readonly spec: ScheduleSpec }).spec;
}

function requireSchedule(found: StoredSchedule | undefined): StoredSchedule {
  if (found === undefined) throw new AppError('schedule_not_found', undefined);
  return found;
}
