import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import {
  findRecoveryRecord,
  listRecoveryRecords,
  openRecordIds,
  type RecoveryFilter,
  type RecoveryRecord,
  type WholeRecoveryRecord,
} from '#db/recovery-list';
import { endRecords, updateContext } from '#db/recovery-status';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { Engine } from '#engine/index';
import { findQueue } from '#recovery/queues';
import type { Vault } from '#vault/index';

export interface RecordDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly engine: Pick<Engine, 'startInTransaction' | 'wake' | 'takeUp'>;
}

/** Which records; the queue by its id or name. */
export type Selection = Omit<RecoveryFilter, 'queueId'> & { readonly queue?: string | undefined };

/** How many records one transaction ends. */
const endedAtOnce = 1_000;
const mostBytesOfContext = 64 * 1024;

/** @throws AppError `not_found` for a queue that is not there */
export async function filterOf(
  deps: Pick<RecordDeps, 'pool'>,
  tenant: Tenant,
  { queue, ...rest }: Selection,
): Promise<RecoveryFilter> {
  return queue === undefined ? rest : { ...rest, queueId: (await findQueue(deps, tenant, queue)).id };
}

/**
 * A page of records, newest first.
 *
 * @throws AppError `not_found` for a queue that is not there
 */
export async function listRecords(
  deps: Pick<RecordDeps, 'pool'>,
  tenant: Tenant,
  selection: Selection,
  page: { readonly before?: string | undefined; readonly limit: number },
): Promise<readonly RecoveryRecord[]> {
  return listRecoveryRecords(deps.pool, tenant, await filterOf(deps, tenant, selection), page);
}

/** @throws AppError `not_found` */
export async function getRecord(
  { pool }: Pick<RecordDeps, 'pool'>,
  tenant: Tenant,
  id: string,
): Promise<WholeRecoveryRecord> {
  const record = await findRecoveryRecord(pool, tenant, id);
  if (record === undefined) throw new AppError('not_found', { what: 'Recovery record', id });
  return record;
}

/**
 * Writes what the resolution workflow is to know beside the record.
 *
 * @throws AppError `not_found`, `invalid_request` when it is too large, `wrong_state` when the record is not open
 */
export async function editContext(
  deps: Pick<RecordDeps, 'pool'>,
  tenant: Tenant,
  id: string,
  context: Readonly<Record<string, unknown>>,
): Promise<WholeRecoveryRecord> {
  if (Buffer.byteLength(JSON.stringify(context)) > mostBytesOfContext) {
    const message = `is larger than ${mostBytesOfContext / 1024} KB`;
    throw new AppError('invalid_request', { problems: [{ path: 'context', message }] });
  }
  if (!(await updateContext(deps.pool, tenant, id, context))) {
    throw notOpen(await getRecord(deps, tenant, id));
  }
  return getRecord(deps, tenant, id);
}

/** How people end a record without doing anything about it. */
export type Verdict = 'discarded' | 'resolved';

/** @throws AppError `not_found`, `wrong_state` when the record is not open */
export async function endRecord(
  deps: Pick<RecordDeps, 'pool' | 'clock'>,
  tenant: Tenant,
  id: string,
  verdict: Verdict,
): Promise<WholeRecoveryRecord> {
  const record = await getRecord(deps, tenant, id);
  if ((await endRecords(deps.pool, tenant, [id], endOf(deps, verdict))) === 0) throw notOpen(record);
  return getRecord(deps, tenant, id);
}

/**
 * Ends every open record of a selection.
 *
 * @returns how many
 * @throws AppError `not_found` for a queue that is not there
 */
export async function endMany(
  deps: Pick<RecordDeps, 'pool' | 'clock'>,
  tenant: Tenant,
  selection: Selection,
  verdict: Verdict,
): Promise<number> {
  const filter = await filterOf(deps, tenant, selection);
  let count = 0;
  for (let after: string | undefined; ;) {
    const ids = await openRecordIds(deps.pool, tenant, filter, { after, limit: endedAtOnce });
    if (ids.length > 0) count += await endRecords(deps.pool, tenant, ids, endOf(deps, verdict));
    if (ids.length < endedAtOnce) return count;
    after = ids.at(-1);
  }
}

function endOf({ clock }: Pick<RecordDeps, 'clock'>, verdict: Verdict): Parameters<typeof endRecords>[3] {
  return { status: verdict, resolution: verdict === 'resolved' ? 'by_hand' : null, at: clock.now() };
}

/** Why nothing can be done with a record, and what can. */
export function notOpen({ id, status, resolvingExecutionId }: RecoveryRecord): AppError<'wrong_state'> {
  const reason =
    status === 'resolving'
      ? `Record "${id}" is being resolved by execution "${resolvingExecutionId ?? ''}". Wait for its end, or stop it.`
      : status === 'open'
        ? `Record "${id}" was changed by somebody else at the same time. Look at it again.`
        : `Record "${id}" is ${status}: nothing is left to do. If the same fails again, it is a new record.`;
  return new AppError('wrong_state', { reason });
}
