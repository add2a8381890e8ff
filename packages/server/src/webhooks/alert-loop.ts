import { setTimeout as sleep } from 'node:timers/promises';
import { alertWork } from '#db/alert-event';
import { deleteOldCounts } from '#db/alert-window';
import { deleteOldDeliveries, giveUpDeliveries } from '#db/webhook-delivery';
import { dispatchAlerts } from '#webhooks/dispatch';
import type { DeliverDeps } from '#webhooks/deliver';
import { createSender } from '#webhooks/sender';

/** What tells people of failures, in this process. */
export interface AlertLoop {
  /** Begins nothing more; what is under way has two seconds to end, and is sent again by others otherwise. */
  close(): Promise<void>;
}

const drainMs = 2_000;
const sweepEveryMs = 3_600_000;
const givenUpAfterMs = 86_400_000;
const deliveriesKeptMs = 30 * 86_400_000;
/** Longer than the longest window. */
const countsKeptMs = 31 * 86_400_000;

/** Starts it; any number of processes may, the database decides whose each row is. */
export function startAlerts(deps: DeliverDeps, { lookEveryMs = 1_000 } = {}): AlertLoop {
  const closing = new AbortController();
  let wake: (() => void) | undefined;
  let isWoken = false;
  let sweptAt = 0;
  const sender = createSender(deps, () => {
    isWoken = true;
    wake?.();
  });

  async function look(): Promise<void> {
    const now = deps.clock.now();
    const work = await alertWork(deps.pool, now);
    if (work.hasEvents || work.hasChecks) await dispatchAlerts(deps);
    if (work.hasEvents || work.hasDeliveries) await sender.begin();
    if (now.getTime() - sweptAt < sweepEveryMs) return;
    sweptAt = now.getTime();
    await giveUpDeliveries(deps.pool, new Date(sweptAt - givenUpAfterMs), now);
    await deleteOldDeliveries(deps.pool, new Date(sweptAt - deliveriesKeptMs));
    await deleteOldCounts(deps.pool, new Date(sweptAt - countsKeptMs));
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      isWoken = false;
      try {
        await look();
      } catch (error) {
        deps.log.warn({ err: error }, 'Alerts could not be looked after; trying again.');
        isWoken = false;
      }
      if (!isWoken) await pause();
    }
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      if (closing.signal.aborted) return resolve();
      const timer = setTimeout(done, lookEveryMs);
      wake = done;
      function done(): void {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      }
    });
  }

  const running = run();
  return {
    async close() {
      closing.abort();
      wake?.();
      await running;
      await Promise.race([sender.idle(), sleep(drainMs, undefined, { ref: false })]);
    },
  };
}
