/**
 * Whether the database was away or short of something, so that the same statement may succeed later. What pg throws
 * without a code ("Connection terminated unexpectedly", a pool's timeout) is a bare `Error`; every other error
 * without a code is a bug of ours, and trying it again would go on for ever.
 *
 * SQLSTATE classes: 08 connection, 40 rollback, 53 resources, 57P shutdown and start, 58 the server's system.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return /^(08...|40...|53...|57P..|58...|E[A-Z]+)$/.test(code);
  return Object.getPrototypeOf(error) === Error.prototype;
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
