import { createHash } from 'node:crypto';
import type { NewWait, StoredWait } from '#db/wait';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { WaitRequest, Woken } from '#engine/nodes/node-type';
import type { HistoryEntry } from '#engine/run-history';

/** Nothing waits for longer: what was asked for beyond it is woken then. */
const longestWaitMs = 30 * 24 * 3_600_000;

/** The nodes of one run that wait: a promise each, and that only while other branches keep the run in memory. */
export interface RunWaits {
  /** The wait that a node was in when the run was loaded, and that it has not taken up yet. */
  find(nodeId: string, batch: string, history: readonly HistoryEntry[]): StoredWait | undefined;
  /**
   * Commits a wait and resolves when it is over; from the commit on it can be woken. `undefined`: the run leaves
   * memory or ends before.
   */
  begin(waiting: Waiting): Promise<Woken | undefined>;
  /** Goes on with a wait that `find` found. */
  rejoin(wait: StoredWait): Promise<Woken | undefined>;
  /** Hands over a wait that was woken while the run is in memory. False: the run does not know it yet. */
  deliver(wait: StoredWait): boolean;
  /** Lets go of all that wait here: the run leaves memory or ends. */
  release(): void;
  /** Lets go of what waits in an iteration, or further inside: nobody is interested any more. */
  drop(batch: string): void;
  /** How many wait. */
  readonly size: number;
  /** The database may hold waits of this run. */
  readonly wereUsed: boolean;
  /** Ids of waits that are over, and of those that nobody took up: what they belong to has ended. */
  readonly consumed: readonly string[];
}

/** What a node waits for; a retry that is far away is a wait of the engine's own. */
interface Waiting {
  readonly nodeId: string;
  readonly batch: string;
  readonly attempt: number;
  readonly at: Date;
  readonly request: Omit<WaitRequest, 'reason'> & { readonly reason: NewWait['reason'] };
  /** Asked once the wait is committed: nobody is interested any more. */
  readonly isOver: () => boolean;
}

/**
 * The waits of one run.
 *
 * @param of.stored - what the database had of them when the run was loaded
 * @param of.payloadOf - opens what came with what woke it
 * @param of.onParked - a node has begun to wait
 * @param of.onUnparked - called in the turn in which a node stops waiting, before it goes on
 */
export function runWaits(of: {
  readonly tenant: Tenant;
  readonly executionId: string;
  readonly stored: readonly StoredWait[];
  readonly write: (wait: NewWait) => Promise<void>;
  readonly payloadOf: (wait: StoredWait) => unknown;
  readonly onParked: () => void;
  readonly onUnparked: () => void;
}): RunWaits {
  const parked = new Map<string, { readonly batch: string; resolve(woken: Woken | undefined): void }>();
  const consumed = new Set<string>();
  const open = new Map<string, StoredWait>();
  let wereUsed = of.stored.length > 0;

  function wokenOf(wait: StoredWait): Woken | undefined {
    return wait.woken_by === null
      ? undefined
      : { by: wait.woken_by, state: wait.state, payload: of.payloadOf(wait), since: wait.created_at };
  }

  for (const wait of of.stored) open.set(placeOf(wait.node_id, wait.batch), wait);

  function park(id: string, batch: string): Promise<Woken | undefined> {
    return new Promise((resolve) => {
      parked.set(id, { batch, resolve });
      of.onParked();
    });
  }

  function unpark(id: string, woken: Woken | undefined): void {
    const node = parked.get(id);
    parked.delete(id);
    if (woken !== undefined) consumed.add(id);
    of.onUnparked();
    node?.resolve(woken);
  }

  return {
    find(nodeId, batch, history) {
      const wait = open.get(placeOf(nodeId, batch));
      return wait === undefined || isBehind(wait, history) ? undefined : wait;
    },
    async begin({ nodeId, batch, attempt, at, request, isOver }) {
      const id = newId(at.getTime());
      const latest = at.getTime() + longestWaitMs;
      wereUsed = true;
      await of.write({
        id,
        tenant: of.tenant,
        executionId: of.executionId,
        nodeId,
        batch,
        attempt,
        reason: request.reason,
        dueAt: new Date(Math.min(request.dueAt?.getTime() ?? latest, latest)),
        tokenHash: request.token === undefined ? undefined : hashToken(request.token),
        childExecutionId: request.childExecutionId,
        state: request.state,
        at,
      });
      if (isOver()) {
        consumed.add(id);
        return undefined;
      }
      return park(id, batch);
    },
    rejoin(wait) {
      open.delete(placeOf(wait.node_id, wait.batch));
      const woken = wokenOf(wait);
      if (woken === undefined) return park(wait.id, wait.batch);
      consumed.add(wait.id);
      return Promise.resolve(woken);
    },
    deliver(wait) {
      const woken = wokenOf(wait);
      if (woken !== undefined && parked.has(wait.id)) unpark(wait.id, woken);
      return consumed.has(wait.id);
    },
    release() {
      for (const id of parked.keys()) unpark(id, undefined);
    },
    drop(batch) {
      for (const [id, node] of parked) {
        if (batch !== '' && node.batch !== batch && !node.batch.startsWith(`${batch}/`)) continue;
        consumed.add(id);
        unpark(id, undefined);
      }
    },
    get size() {
      return parked.size;
    },
    get wereUsed() {
      return wereUsed;
    },
    get consumed() {
      return [...consumed, ...Array.from(open.values(), (wait) => wait.id)];
    },
  };
}

function placeOf(nodeId: string, batch: string): string {
  return `${nodeId}:${batch}`;
}

/** The journal says that the node went on after this wait, and the worker was lost before it could forget the wait. */
function isBehind(wait: StoredWait, history: readonly HistoryEntry[]): boolean {
  return history.some(
    (entry) =>
      entry.nodeId === wait.node_id &&
      entry.batch === wait.batch &&
      entry.kind !== 'batch' &&
      (entry.attempt > wait.attempt ||
        (entry.attempt === wait.attempt && entry.kind === 'outcome' && wait.reason !== 'retry')),
  );
}

/** What of a token is stored. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
