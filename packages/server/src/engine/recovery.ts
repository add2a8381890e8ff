import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { whileDatabaseIsAway } from '#db/database-fault';
import { findRecoveryQueue, unknownOutcomesQueue } from '#db/recovery-queue';
import { addRecoveryRecord } from '#db/recovery-record';
import type { Clock } from '#domain/clock';
import type { Masked } from '#domain/masking/index';
import type { Tenant } from '#domain/tenant';
import type { RowVault } from '#engine/recording/sealed-parts';
import { sealContext } from '#vault/index';

/** A failure that a node on a catch branch hands over. */
export interface CaughtFailure {
  /** Id or name. */
  readonly queue: string;
  readonly executionId: string;
  readonly nodeId: string;
  readonly batch: string;
  readonly appSlug: string | undefined;
  readonly dedupKey: string;
  readonly failed: FailedNode;
  readonly columnValues: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  readonly mask: (value: unknown) => Masked;
}

/** What failed, and how. */
export interface FailedNode {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Path of the iterations around it; '' outside of loops and try blocks. */
  readonly batch: string;
  readonly message: string;
  readonly status?: number | undefined;
}

/** A call that may have arrived and is not sent again. */
export interface UnknownOutcome {
  readonly executionId: string;
  readonly dedupKey: string;
  readonly failed: FailedNode;
  /** The input of the node. */
  readonly payload: unknown;
  readonly mask: (value: unknown) => Masked;
  /** Aborted: nobody waits for it any longer. */
  readonly signal: AbortSignal;
}

export interface Recovery {
  /** Keeps a failure, once however often the node runs; a refusal says what to change. */
  add(
    tenant: Tenant,
    failure: CaughtFailure,
  ): Promise<
    | { readonly recordId: string; readonly queue: string; readonly seen: number }
    | { readonly refusal: string }
  >;
  /** Durable when it resolves, so a node that ends after it never ends without a record. */
  addUnknownOutcome(tenant: Tenant, outcome: UnknownOutcome): Promise<void>;
}

/** As much as an execution takes in. */
const mostPayloadBytes = 10 * 1024 * 1024;
/** Lists and exports show the columns of many records at once. */
const mostColumnBytes = 32 * 1024;

/** The queues in which failures wait for repair, as runs see them. */
export function createRecovery(deps: {
  readonly pool: Pool;
  readonly vault: RowVault;
  readonly clock: Clock;
}): Recovery {
  const { pool, clock } = deps;

  function sealer(payload: Masked, columns: Masked): (recordId: string) => Buffer | null {
    if (payload.trueParts.length + columns.trueParts.length === 0) return () => null;
    const words = [...payload.words, ...columns.words];
    const secrets = { payload: payload.trueParts, columns: columns.trueParts, words };
    return (id) => deps.vault.sealJson(secrets, sealContext('recovery_record.secrets_sealed', id));
  }

  return {
    async add(tenant, { mask, failed, ...given }) {
      const queue = await findRecoveryQueue(pool, tenant, given.queue);
      if (queue === undefined) {
        return { refusal: `queue: there is no recovery queue "${given.queue}" in this environment.` };
      }
      if (queue.appSlug !== null && queue.appSlug !== given.appSlug) {
        return { refusal: `queue: "${queue.name}" takes failures of the app "${queue.appSlug}" only.` };
      }
      const unknown = Object.keys(given.columnValues).find(
        (name) => !queue.columns.some((column) => column.name === name),
      );
      if (unknown !== undefined) {
        const has = queue.columns.map(({ name }) => `"${name}"`).join(', ') || 'none';
        return {
          refusal: `columns.${unknown}: the queue "${queue.name}" has no such column; it has ${has}.`,
        };
      }
      if (Buffer.byteLength(JSON.stringify(given.columnValues)) > mostColumnBytes) {
        return {
          refusal: `columns: are larger than ${mostColumnBytes / 1024} KB; large values belong to the payload.`,
        };
      }
      if (Buffer.byteLength(JSON.stringify(given.payload ?? null)) > mostPayloadBytes) {
        return { refusal: `payload: is larger than ${mostPayloadBytes / 1024 ** 2} MB; keep a part of it.` };
      }
      const payload = mask(given.payload);
      const columns = mask(given.columnValues);
      const added = await addRecoveryRecord(pool, tenant, {
        queueId: queue.id,
        key: `${given.executionId}:${given.nodeId}:${given.batch}`,
        dedupKey: comparedKey(given.dedupKey, mask),
        executionId: given.executionId,
        batch: failed.batch,
        failedNode: { id: failed.nodeId, name: failed.nodeName },
        errorClass: errorClassOf(failed.status),
        errorMessage: String(mask(failed.message).shown),
        columnValues: columns.shown,
        payload: payload.shown,
        seal: sealer(payload, columns),
        at: clock.now(),
      });
      if (added === undefined)
        return { refusal: `queue: the recovery queue "${queue.name}" has been deleted.` };
      return { ...added, queue: queue.name };
    },
    async addUnknownOutcome(tenant, { failed, mask, ...outcome }) {
      const payload = mask(outcome.payload ?? null);
      const none = mask({});
      const add = async (): Promise<void> => {
        const added = await addRecoveryRecord(pool, tenant, {
          queueId: await unknownOutcomesQueue(pool, tenant),
          key: `unknown:${outcome.executionId}:${failed.nodeId}:${failed.batch}`,
          dedupKey: outcome.dedupKey,
          executionId: outcome.executionId,
          batch: failed.batch,
          failedNode: { id: failed.nodeId, name: failed.nodeName },
          errorClass: 'unknown_outcome',
          errorMessage: String(mask(failed.message).shown),
          columnValues: {},
          payload: payload.shown,
          seal: sealer(payload, none),
          at: clock.now(),
        });
        // Its queue was deleted in this very moment: it is made anew.
        if (added === undefined) await add();
      };
      // As the journal does: the run goes no further until it is written, here or on another worker.
      await whileDatabaseIsAway(add, { isOver: () => outcome.signal.aborted });
    },
  };
}

/** A key stands in the record as it is, unless it holds a secret: then only repeats of it are recognised. */
function comparedKey(key: string, mask: (value: unknown) => Masked): string {
  const isSecret = mask(key).trueParts.length > 0;
  return isSecret ? createHash('sha256').update(key).digest('base64url') : key;
}

/** A word for a kind of failure, by what the provider answered; 0: nothing came back. */
export function errorClassOf(status: number | undefined): string {
  if (status === undefined) return 'error';
  if (status === 0) return 'unreachable';
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'unavailable';
  return status >= 400 ? 'refused' : 'error';
}
