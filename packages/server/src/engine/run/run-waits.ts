import { createHash } from 'node:crypto';
import type { NewWait, StoredWait } from '#db/wait';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { WaitRequest, Woken } from '#engine/nodes/node-type';
import type { HistoryEntry } from '#engine/run/run-history';
import type { DroppedWait } from '#engine/wait/suspension';

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
  /**
   * Lets go of what waits in a frame, or further inside: nobody is interested any more.
   *
   * @param nodeIds - nodes of the frame and of containers in it; a try block and its catch share their path
   * @param keepsChildren - sub-flows go on: the frame is repeated, and takes them up again
   */
  drop(batch: string, nodeIds: ReadonlySet<string>, keepsChildren?: boolean): void;
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
 * @param of.onDropped - waits that nobody is interested in any more are in the database still
 * @param of.onParked - a node has begun to wait
 * @param of.onUnparked - called in the turn in which a node stops waiting, before it goes on
 */
export function runWaits(of: {
  readonly tenant: Tenant;
  readonly executionId: string;
  readonly stored: readonly StoredWait[];
  readonly write: (wait: NewWait) => Promise<void>;
  readonly payloadOf: (wait: StoredWait) => unknown;
  readonly onDropped: (dropped: readonly DroppedWait[]) => void;
  readonly onParked: () => void;
  readonly onUnparked: () => void;
}): RunWaits {
  const parked = new Map<string, Place & { resolve(woken: Woken | undefined): void }>();
  const consumed = new Set<string>();
  const open = new Map<string, StoredWait>();
  let wereUsed = of.stored.length > 0;

  function wokenOf(wait: StoredWait): Woken | undefined {
    return wait.woken_by === null
      ? undefined
      : { by: wait.woken_by, state: wait.state, payload: of.payloadOf(wait), since: wait.created_at };
  }

  for (const wait of of.stored) open.set(placeOf(wait.node_id, wait.batch), wait);

  function park(id: string, place: Place): Promise<Woken | undefined> {
    return new Promise((resolve) => {
      parked.set(id, { ...place, resolve });
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
        of.onDropped([{ id, childExecutionId: request.childExecutionId }]);
        return undefined;
      }
      return park(id, { nodeId, batch, childExecutionId: request.childExecutionId });
    },
    rejoin(wait) {
      open.delete(placeOf(wait.node_id, wait.batch));
      const woken = wokenOf(wait);
      if (woken === undefined) return park(wait.id, placeOfStored(wait));
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
    drop(batch, nodeIds, keepsChildren = false) {
      const isIn = (place: Place): boolean =>
        nodeIds.has(place.nodeId) &&
        (batch === '' || place.batch === batch || place.batch.startsWith(`${batch}/`));
      const dropped: DroppedWait[] = [];
      for (const [id, place] of parked) {
        if (!isIn(place)) continue;
        dropped.push({ id, childExecutionId: keepsChildren ? undefined : place.childExecutionId });
        consumed.add(id);
        unpark(id, undefined);
      }
      // Loaded with the run, and not come to yet: the frame broke off before its worker was lost.
      for (const [key, wait] of open) {
        const place = placeOfStored(wait);
        if (!isIn(place)) continue;
        dropped.push({
          id: wait.id,
          childExecutionId: keepsChildren ? undefined : place.childExecutionId,
        });
        consumed.add(wait.id);
        open.delete(key);
      }
      if (dropped.length > 0) of.onDropped(dropped);
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

/** Where something waits, and which sub-flow for. */
interface Place {
  readonly nodeId: string;
  readonly batch: string;
  readonly childExecutionId: string | undefined;
}

function placeOfStored({ node_id: nodeId, batch, child_execution_id: child, woken_by }: StoredWait): Place {
  return { nodeId, batch, childExecutionId: woken_by === 'child' ? undefined : (child ?? undefined) };
}

/** What of a token is stored. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
