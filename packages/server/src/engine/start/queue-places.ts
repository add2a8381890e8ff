import type { Pool, PoolClient } from 'pg';
import { countQueued } from '#db/execution-control';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

/** Keeps a linked account from queueing without end. */
export interface QueuePlaces {
  /**
   * Takes places for executions that are about to be queued. In a transaction of the caller's it asks on that
   * connection: a second one of the same pool may never come while others hold theirs and wait as well.
   *
   * @throws AppError `queue_full`
   */
  reserve(tenant: Tenant, linkedAccountId: string, places: number, client?: PoolClient): Promise<void>;
}

interface Depth {
  readonly readAt: number;
  taken: number;
  readonly counted: Promise<number>;
  isCounted: boolean;
}

const depthKnownForMs = 1_000;
const mostDepthsKnown = 10_000;

/** The depth of an account's queue is read at most once a second and counted on from there. */
export function queuePlaces(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly limit: number;
}): QueuePlaces {
  const { pool, clock, limit } = deps;
  const depths = new Map<string, Depth>();

  function read(tenant: Tenant, linkedAccountId: string, client: PoolClient | undefined): Depth {
    const depth: Depth = {
      readAt: clock.now().getTime(),
      taken: 0,
      counted: countQueued(client ?? pool, tenant, linkedAccountId, limit),
      isCounted: false,
    };
    depth.counted.then(
      () => (depth.isCounted = true),
      () => undefined,
    );
    depths.delete(linkedAccountId);
    depths.set(linkedAccountId, depth);
    if (depths.size > mostDepthsKnown) depths.delete(depths.keys().next().value!);
    return depth;
  }

  return {
    async reserve(tenant, linkedAccountId, places, client) {
      const known = depths.get(linkedAccountId);
      const isFresh = known !== undefined && clock.now().getTime() - known.readAt <= depthKnownForMs;
      // Callers of the same moment share one reading, and count on from it together. One that holds a connection
      // shares only what has been read: a reading on its way may be waiting for that connection.
      const isUsable = isFresh && (client === undefined || known.isCounted);
      const depth = isUsable ? known : read(tenant, linkedAccountId, client);
      const counted = await depth.counted;
      if (counted + depth.taken + places > limit) throw new AppError('queue_full', { limit });
      depth.taken += places;
    },
  };
}
