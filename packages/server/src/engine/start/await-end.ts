import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { lookAtTree } from '#db/sub-flow';

const firstLookMs = 10;
const longestPauseMs = 100;

/**
 * Waits for the end of an execution that was suspended only because its sub-flows run.
 *
 * @returns false when the time is over, or when something in it waits for a time or for somebody
 */
export async function awaitEnd(pool: Pool, executionId: string, timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    const { isFinished, isHeldUp } = await lookAtTree(pool, executionId);
    if (isFinished) return true;
    if (isHeldUp || performance.now() + pauseMs > until) return false;
    await sleep(pauseMs);
  }
}
