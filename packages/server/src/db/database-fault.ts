/**
 * Whether the database was away or short of something, so that the same statement may succeed later. What pg throws
 * without a code ("Connection terminated unexpectedly", a pool's timeout) is a bare `Error`; every other error
 * without a code is a bug of ours, and trying it again would go on for ever.
 *
 * SQLSTATE classes: 08 connection, 40 rollback, 53 resources, 57P shutdown and start, 58 the server's system; and
 * 25006 a server that only reads (it is being replaced), 55P03 a lock that was not had, 57014 a cancelled statement.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') {
    return /^(08...|25006|40...|53...|55P03|57014|57P..|58...|E[A-Z]+)$/.test(code);
  }
  // Our own pool was closed: it will not be opened again.
  return Object.getPrototypeOf(error) === Error.prototype && !/pool after calling end/.test(error.message);
}

/**
 * Whether PostgreSQL looked at this very value and will never take it, whoever sends it and when. SQLSTATE classes:
 * 22 data, 23502 and 23514 a missing value and a check, 54 limits of the server; a `RangeError` is a text too long
 * to be sent. A unique or foreign key (23505, 23503) may be the doing of somebody else at the same moment.
 */
export function isValueRefused(error: unknown): boolean {
  if (error instanceof RangeError) return true;
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^(22...|23502|23514|54...)$/.test(code);
}

/** A deadlock, a lock, memory, a time limit: the statement itself may be the cause, where a server that is away is not. */
export function isContended(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^(40...|53200|55P03|57014)$/.test(code);
}

const firstPauseMs = 50;
const longestPauseMs = 2_000;

/** Waits before try `tries + 1`: 50 ms at first, then twice as long each time up to 2 s, spread by half. */
export function pauseBeforeRetry(tries: number): Promise<void> {
  const grown = Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs);
  return new Promise((resolve) => setTimeout(resolve, grown * (0.5 + Math.random() / 2)));
}

/**
 * Does the work again as long as the database is away.
 *
 * @param of.isOver - asked before each further try: the work is not wanted any longer, and the error is thrown
 * @param of.onAway - told of each failure that is followed by another try
 */
export async function whileDatabaseIsAway<T>(
  work: () => Promise<T>,
  of: { readonly isOver: () => boolean; readonly onAway?: (error: unknown) => void },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (of.isOver() || !isDatabaseAway(error)) throw error;
      of.onAway?.(error);
      await pauseBeforeRetry(tries);
    }
  }
}

/** Runs a statement again that lost a deadlock: whoever won it has gone on meanwhile. */
export async function despiteDeadlocks<T>(work: () => Promise<T>, attempts = 5): Promise<T> {
  for (let left = attempts - 1; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left === 0 || (error as { code?: unknown }).code !== '40P01') throw error;
    }
  }
}
