import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import type { ScheduleSpec } from '#domain/schedule-spec';

/**
 * When schedules come due: pure functions of (schedule, moment) on IANA time zones.
 *
 * What happens where the clocks change is what croner does (tested): a fixed time that the clocks skip comes due
 * right after the gap, a fixed time that comes twice comes due the first time only, and what repeats within the hour
 * goes on at its own pace, since every one of its moments is another moment.
 */

/** A moment on the wall clock of some zone; months count from 1. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour?: number;
  readonly minute?: number;
  readonly second?: number;
}

/** The first occurrence after `after`; undefined: there is none. */
export function nextTime(spec: ScheduleSpec, after: Date): Date | undefined {
  const { start, end } = spec;
  // Occurrences are whole seconds, and one at `start` itself counts.
  const from = start !== undefined && start > after ? new Date(start.getTime() - 1_000) : after;
  const next =
    spec.kind === 'cron'
      ? (cronOf(spec.cron, spec.tz).nextRun(from) ?? undefined)
      : spec.dates.find((date) => date > from);
  return next === undefined || (end !== undefined && next > end) ? undefined : next;
}

/** The last occurrence at or before `until`; undefined: there was none yet. */
export function lastTime(spec: ScheduleSpec, until: Date): Date | undefined {
  const { start, end } = spec;
  const to = end !== undefined && end < until ? end : until;
  const last =
    spec.kind === 'cron'
      ? cronOf(spec.cron, spec.tz).previousRuns(1, new Date(to.getTime() + 1_000))[0]
      : spec.dates.findLast((date) => date <= to);
  return last === undefined || last > to || (start !== undefined && last < start) ? undefined : last;
}

/** A late tick that is still on time: schedulers look every second, and a busy one later. */
const onTimeMs = 60_000;
/** Missed occurrences that are fired in one go; the others follow at once. */
const mostAtOnce = 100;

/** What a schedule that is due fires now, and when it comes due again. */
export interface Due {
  /** Ascending; empty when what was missed is passed over. */
  readonly fire: readonly Date[];
  readonly next: Date | undefined;
}

/**
 * What to fire of a schedule whose occurrence `due` has come, by its catch-up policy: `skip` only what is less than a
 * minute late, `one` the latest missed occurrence for all of them, `all` every one.
 */
export function decideDue(spec: ScheduleSpec, due: Date, now: Date): Due {
  if (due > now) return { fire: [], next: due };
  if (spec.catchUp === 'all') {
    const fire = [due];
    let next = nextTime(spec, due);
    while (next !== undefined && next <= now && fire.length < mostAtOnce) {
      fire.push(next);
      next = nextTime(spec, next);
    }
    return { fire, next };
  }
  const last = lastTime(spec, now);
  const latest = last === undefined || last < due ? due : last;
  const isOnTime = now.getTime() - latest.getTime() < onTimeMs;
  return {
    fire: spec.catchUp === 'one' || isOnTime ? [latest] : [],
    next: nextTime(spec, later(latest, now)),
  };
}

const largestJitterMs = 60_000;
const largestJitterShare = 0.1;

/**
 * How much later than its occurrence a schedule of many accounts fires for one of them, so that a popular minute
 * does not start everything at once: always the same for the same key, less than a minute, and at most a tenth of the
 * time to the occurrence after it (30 s for one every five minutes).
 */
export function jitterMs(spec: ScheduleSpec, due: Date, key: string): number {
  const following = nextTime(spec, due);
  const gap = following === undefined ? Number.POSITIVE_INFINITY : following.getTime() - due.getTime();
  const range = Math.min(largestJitterMs, gap * largestJitterShare);
  return Math.floor(shareOf(key) * range);
}

/** A number of [0, 1) that is always the same for the same text. */
export function shareOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
}

/** The moment of a wall-clock time, as a fixed time of a cron would come due; undefined when no calendar has it. */
export function instantOf(local: LocalTime, tz: string): Date | undefined {
  const { year, month, day, hour = 0, minute = 0, second = 0 } = local;
  const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isReal =
    year >= 1970 &&
    year <= 9999 &&
    utc.getUTCMonth() === month - 1 &&
    utc.getUTCDate() === day &&
    utc.getUTCHours() === hour &&
    utc.getUTCMinutes() === minute &&
    utc.getUTCSeconds() === second;
  if (!isReal) return undefined;
  return new Cron(utc.toISOString().slice(0, 19), { timezone: tz }).nextRun(new Date(0)) ?? undefined;
}

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** What is wrong with a cron expression. */
export function patternProblem(pattern: string, tz: string): string | undefined {
  const isNickname = /^@[a-z]+$/i.test(pattern);
  const fields = pattern.split(/\s+/).length;
  if (!isNickname && fields !== 5) {
    return `"${pattern}" has ${fields} fields; a cron expression has five: minute, hour, day, month, weekday`;
  }
  try {
    cronOf(pattern, tz);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '');
  }
}

const justBeforeAnHour = new Date(Date.UTC(2026, 0, 1) - 1_000);

/**
 * The shortest time between two occurrences, in minutes. Two within one hour are seen in its first hours; two around
 * the full hour only where neighbouring hours match, so those are looked for among the first occurrences.
 */
export function minuteGapsOf(pattern: string, tz: string): number {
  const minutes = pattern.split(/\s+/)[0]!;
  const within = pattern.startsWith('@')
    ? []
    : cronOf(`${minutes} * * * *`, 'UTC').nextRuns(61, justBeforeAnHour);
  const gaps = gapsOf(within.filter((at) => at.getUTCHours() === 0));
  const across = gapsOf(within);
  if (gaps <= across) return gaps;
  return Math.min(gaps, gapsOf(cronOf(pattern, tz).nextRuns(300, new Date(0))));
}

function gapsOf(times: readonly Date[]): number {
  return times.reduce(
    (least, at, i) => (i === 0 ? least : Math.min(least, (at.getTime() - times[i - 1]!.getTime()) / 60_000)),
    Number.POSITIVE_INFINITY,
  );
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

const known = new Map<string, Cron>();
const mostKnown = 1_000;

/** A parsed expression; parsing costs more than asking it. */
function cronOf(pattern: string, tz: string): Cron {
  const key = `${tz} ${pattern}`;
  let cron = known.get(key);
  if (cron === undefined) {
    // Paused and without a function: croner is asked for times and never sets a timer.
    // UTC as an offset is asked some ten times faster than as a zone.
    const zone = tz === 'UTC' ? { utcOffset: 0 } : { timezone: tz };
    cron = new Cron(pattern, { ...zone, mode: '5-part', paused: true });
    known.set(key, cron);
    if (known.size > mostKnown) known.delete(known.keys().next().value!);
  }
  return cron;
}
