import type { WindowRule } from '#db/alert-window';
import { windowEvents } from '#webhooks/events';

/** What a look at a rule about a stretch of time says. */
export interface Verdict {
  readonly isFiring: boolean;
  readonly brokenAt: Date | null;
  /** What to tell; undefined: nothing changed. */
  readonly event: string | undefined;
}

type Watched = Pick<
  WindowRule,
  | 'watches'
  | 'windowMinutes'
  | 'thresholdPercent'
  | 'leastRuns'
  | 'isFiring'
  | 'watchedSince'
  | 'brokenAt'
  | 'lastCompletedAt'
  | 'ended'
  | 'failed'
>;

/**
 * Pure: whether a rule is broken now, and what is news about it.
 *
 * A failure rate that was told stays so until a whole window has gone by without it, so that a rate about the
 * threshold rings once, not every minute; the few runs of a quiet hour cannot end an alarm while most of them fail.
 */
export function judge(rule: Watched, now: Date): Verdict {
  const { fires, recovers } = windowEvents[rule.watches];
  const isBroken = rule.watches === 'no_run' ? isSilent(rule, now) : isFailing(rule);
  const brokenAt = isBroken ? now : rule.brokenAt;
  const isOver =
    !isBroken &&
    (rule.watches === 'no_run' || now.getTime() - (brokenAt?.getTime() ?? 0) >= rule.windowMinutes * 60_000);
  const isFiring = isBroken || (rule.isFiring && !isOver);
  const event = isFiring === rule.isFiring ? undefined : isFiring ? fires : recovers;
  return { isFiring, brokenAt, event };
}

/** Before one whole window has been watched nobody can miss a run in it. */
function isSilent({ watchedSince, lastCompletedAt, windowMinutes }: Watched, now: Date): boolean {
  const since = Math.max(watchedSince.getTime(), lastCompletedAt?.getTime() ?? 0);
  return now.getTime() - since >= windowMinutes * 60_000;
}

function isFailing({ ended, failed, leastRuns, thresholdPercent, isFiring }: Watched): boolean {
  if (ended < (isFiring ? 1 : (leastRuns ?? 1))) return false;
  return failed * 100 >= ended * (thresholdPercent ?? 100);
}
