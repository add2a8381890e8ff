import type { RunState } from '#engine/run/run-state';

const longestTurnMs = 10;

/**
 * Keeps a loop of pure nodes from holding the process for itself: after 10 ms others have their turn, and it goes on
 * when the journal has room again. Ask after each iteration; nothing is to be waited for most of the time.
 */
export function loopPace({ journal }: Pick<RunState, 'journal'>): () => Promise<void> | undefined {
  let turnEndsAt = performance.now() + longestTurnMs;
  let pausing: Promise<void> | undefined;

  async function pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await journal.room();
    turnEndsAt = performance.now() + longestTurnMs;
    pausing = undefined;
  }

  return () => {
    if (pausing === undefined && performance.now() >= turnEndsAt) pausing = pause();
    return pausing;
  };
}
