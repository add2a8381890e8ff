import { beginPolls, type PollDeps } from '#triggers/poll-apps';
import { fireSchedules } from '#triggers/fire-schedules';
import { earliestSchedule, deleteOldTicks } from '#db/schedule';
import { deleteOldSyncWindows, settleSyncWindows } from '#db/sync-window';
import { deriveTriggers } from '#db/trigger-registration';

/** What starts workflows by time, in this process. */
export interface TriggerLoop {
  /** Looks at nothing more; resolves when what is under way has ended. */
  close(): Promise<void>;
}

const lookEveryMs = 1_000;
const sweepEveryMs = 60_000;
const ticksKeptMs = 7 * 86_400_000;
const windowsKeptMs = 90 * 86_400_000;
const mostSchedules = 200;
/** Polls of this process that are on their way at the same time. */
const mostPolls = 10;

/**
 * Fires schedules and polls apps until it is closed. Any number of processes may do so on one database: who gets a
 * row is decided there, and a process that ends leaves nothing behind.
 */
export function startTriggerLoop(deps: PollDeps): TriggerLoop {
  const closing = new AbortController();

  async function schedules(): Promise<void> {
    if ((await fireSchedules(deps, mostSchedules)) === mostSchedules) return;
    const earliest = await earliestSchedule(deps.pool);
    const untilDue = (earliest?.getTime() ?? Number.POSITIVE_INFINITY) - deps.clock.now().getTime();
    await sleep(Math.min(lookEveryMs, Math.max(untilDue, 50)));
  }

  const polling = new Set<Promise<void>>();

  async function polls(): Promise<void> {
    const begun = await beginPolls(deps, mostPolls - polling.size, closing.signal);
    for (const { finished } of begun) {
      polling.add(finished);
      void finished.then(() => polling.delete(finished));
    }
    if (polling.size >= mostPolls) await Promise.race(polling);
    else if (begun.length === 0) await sleep(lookEveryMs);
  }

  /** Puts right what a way to enable or disable forgot, and throws away what is old. */
  async function sweep(): Promise<void> {
    await deriveTriggers(deps.db, 'all');
    const now = deps.clock.now().getTime();
    await deleteOldTicks(deps.pool, new Date(now - ticksKeptMs));
    await settleSyncWindows(deps.pool);
    await deleteOldSyncWindows(deps.pool, new Date(now - windowsKeptMs));
    await sleep(sweepEveryMs);
  }

  async function repeat(what: string, step: () => Promise<void>): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await step();
      } catch (error) {
        deps.log.warn({ err: error }, `${what} failed; trying again.`);
        await sleep(lookEveryMs);
      }
    }
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (closing.signal.aborted) {
        resolve();
        return;
      }
      const timer = setTimeout(done, ms);
      closing.signal.addEventListener('abort', done, { once: true });
      function done(): void {
        clearTimeout(timer);
        closing.signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }

  const loops = [
    repeat('Firing schedules', schedules),
    repeat('Polling', polls),
    repeat('Sweeping triggers', sweep),
  ];
  return {
    async close() {
      closing.abort();
      await Promise.all([...loops, ...polling]);
    },
  };
}
