import { isRecord } from '#domain/exact-json';
import type { FieldProblem } from '#domain/errors';
import { asText } from '#domain/template';
import { instantOf, isTimeZone, minuteGapsOf, nextTime, patternProblem } from '#domain/schedule-times';

/** What to do with occurrences that nobody fired in time, because no scheduler ran. */
export type CatchUp = 'skip' | 'one' | 'all';

/** When a schedule fires. */
export interface ScheduleSpec {
  readonly kind: 'cron' | 'interval';
  /** Five fields, or a nickname such as `@daily`; only of a cron schedule. */
  readonly cron: string;
  /** IANA name. */
  readonly tz: string;
  /** The listed moments, in ascending order; only of an interval schedule. */
  readonly dates: readonly Date[];
  /** Nothing fires before it. */
  readonly start: Date | undefined;
  /** Nothing fires after it. */
  readonly end: Date | undefined;
  readonly catchUp: CatchUp;
}

/** Spec/workflows §19. */
export const minIntervalMinutes = 5;
const mostDates = 1_000;

/**
 * Reads a schedule as it was written, by call (spec/api §4.10) or in a start node. Both spell the parts alike:
 * `trigger_type`, `regex` or `cron`, `interval_dates` or `dates` in either of their shapes, `tz`, `startDate`,
 * `endDate`, `catch_up`.
 *
 * @returns the schedule, or what is wrong with it; a path is that of the field as it was written
 */
export function readSchedule(
  declared: Readonly<Record<string, unknown>>,
): { readonly spec: ScheduleSpec } | { readonly problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const problem = (path: string, message: string): void => void problems.push({ path, message });

  const datesKey = keyOf(declared, ['interval_dates', 'dates', 'trigger_interval']);
  const cronKey = keyOf(declared, ['regex', 'cron', 'cron_pattern', 'cron_patten', 'expression']);
  const kind = kindOf(declared['trigger_type'], cronKey, datesKey);
  if (kind === undefined) {
    const given = declared['trigger_type'];
    const text =
      given === undefined || given === null || given === '' ? 'trigger_type is required' : undefined;
    return {
      problems: [
        text === undefined
          ? { path: 'trigger_type', message: `"${asText(given)}" is none; use "cron" or "interval"` }
          : {
              path: '',
              message: `${text}: "cron" with "regex", or "interval" with "interval_dates"; a start node takes "cron" or "dates" without it`,
            },
      ],
    };
  }
  const tz = zoneOf(declared['tz'] ?? declared['timezone'], 'tz', problem);
  const catchUp = catchUpOf(declared['catch_up'] ?? declared['catchUp'], problem);
  const start = boundOf(declared['startDate'], tz, 'startDate', false, problem);
  const end = boundOf(declared['endDate'], tz, 'endDate', true, problem);
  if (start !== undefined && end !== undefined && end < start) problem('endDate', 'lies before startDate');

  let cron = '';
  let dates: readonly Date[] = [];
  if (kind === 'cron') {
    cron = cronOf(cronKey === undefined ? undefined : declared[cronKey], tz, problem);
  } else {
    dates = datesOf(declared[datesKey ?? 'interval_dates'], datesKey ?? 'interval_dates', tz, problem);
  }
  return problems.length > 0 ? { problems } : { spec: { kind, cron, tz, dates, start, end, catchUp } };
}

/**
 * What else speaks against a schedule that is made or changed now: it fires too often, everything it names is over, or
 * it never comes. Not asked again of one that is stored: this walks through occurrences.
 */
export function newScheduleProblems(spec: ScheduleSpec, now: Date): FieldProblem[] {
  const { kind, cron, tz, dates, end } = spec;
  const past = dates.find((date) => date <= now);
  if (past !== undefined) {
    const message = `${past.toISOString()} is past; list dates that are still to come`;
    return [{ path: 'interval_dates', message }];
  }
  if (end !== undefined && end <= now) return [{ path: 'endDate', message: 'is past' }];
  if (nextTime(spec, now) === undefined) {
    return kind === 'cron'
      ? [{ path: '', message: `${refusedCron}: "${cron}" never comes due` }]
      : [{ path: 'interval_dates', message: 'never comes due' }];
  }
  const shortest = kind === 'cron' ? minuteGapsOf(cron, tz) : minIntervalMinutes;
  if (shortest >= minIntervalMinutes) return [];
  const often = `"${cron}" fires every ${shortest} min; ${minIntervalMinutes} min is the shortest interval`;
  return [{ path: '', message: `${refusedCron}: ${often}` }];
}

type Report = (path: string, message: string) => void;

function keyOf(declared: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  return names.find((name) => {
    const value = declared[name];
    return (
      value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
    );
  });
}

function kindOf(
  given: unknown,
  cronKey: string | undefined,
  datesKey: string | undefined,
): ScheduleSpec['kind'] | undefined {
  const text = typeof given === 'string' ? given.toLowerCase() : given;
  if (text === 'cron' || text === 'interval') return text;
  // A start node says `schedule`, which both are.
  if (text !== undefined && text !== null && text !== '' && text !== 'schedule') return undefined;
  if (cronKey !== undefined) return 'cron';
  return datesKey === undefined ? undefined : 'interval';
}

function zoneOf(given: unknown, path: string, problem: Report): string {
  if (given === undefined || given === null || given === '') return 'UTC';
  if (typeof given === 'string' && isTimeZone(given)) return given;
  problem(path, `"${asText(given)}" is no time zone; use an IANA name such as "Europe/Berlin"`);
  return 'UTC';
}

function catchUpOf(given: unknown, problem: Report): CatchUp {
  if (given === undefined || given === null || given === '') return 'one';
  if (given === 'skip' || given === 'one' || given === 'all') return given;
  problem('catch_up', `"${asText(given)}" is none; use "skip", "one" or "all"`);
  return 'one';
}

/** What Cobalt says of a cron expression that it does not take; the reason is ours. */
const refusedCron = 'Cron Job Could Not Be Added  , Regex Configuration failed to register';

function cronOf(given: unknown, tz: string, problem: Report): string {
  const cron = typeof given === 'string' ? given.trim() : '';
  const reason = cron === '' ? 'a cron expression of five fields is required' : patternProblem(cron, tz);
  if (reason !== undefined) problem('', `${refusedCron}: ${reason}`);
  return cron;
}

/** A bound: a day (the end then includes it) in the schedule's zone, or a moment. */
function boundOf(
  given: unknown,
  tz: string,
  path: string,
  isEnd: boolean,
  problem: Report,
): Date | undefined {
  if (given === undefined || given === null || given === '') return undefined;
  if (typeof given === 'string') {
    const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(given);
    if (day !== null) {
      const [year, month, date] = day.slice(1).map(Number) as [number, number, number];
      const at = instantOf(
        { year, month, day: date, ...(isEnd ? { hour: 23, minute: 59, second: 59 } : {}) },
        tz,
      );
      if (at !== undefined) return at;
    } else if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(given)) {
      const hasOffset = /(Z|[+-]\d{2}:?\d{2})$/i.test(given);
      const at = hasOffset ? new Date(given) : localOf(given, tz);
      if (at !== undefined && !Number.isNaN(at.getTime())) return at;
    }
  }
  problem(path, `"${asText(given)}" is no date; use YYYY-MM-DD or ISO 8601`);
  return undefined;
}

function localOf(text: string, tz: string): Date | undefined {
  const [year, month, day, hour, minute, second] = text.split(/\D/).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number | undefined,
  ];
  return instantOf({ year, month, day, hour, minute, second: second ?? 0 }, tz);
}

function datesOf(given: unknown, path: string, tz: string, problem: Report): readonly Date[] {
  if (!Array.isArray(given) || given.length === 0) {
    problem(path, 'list at least one date: {day, month, year, hour, minute}');
    return [];
  }
  if (given.length > mostDates) {
    problem(path, `holds ${given.length} dates; at most ${mostDates} are accepted`);
    return [];
  }
  const dates = given.flatMap((item, index) => dateOf(item, `${path}[${index}]`, tz, problem));
  const ascending = [...new Set(dates.map((date) => date.getTime()))].sort((a, b) => a - b);
  const close = ascending.findIndex(
    (at, index) => index > 0 && at - ascending[index - 1]! < minIntervalMinutes * 60_000,
  );
  if (close > 0) {
    const [a, b] = [ascending[close - 1]!, ascending[close]!].map((at) => new Date(at).toISOString());
    problem(path, `${a} and ${b} are less than ${minIntervalMinutes} min apart`);
  }
  return ascending.map((at) => new Date(at));
}

const dateParts = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;

/** `{day, month, year, hour, minute, second?}` in the schedule's zone, or `{date: {…}, tz}` in its own. */
function dateOf(item: unknown, path: string, tz: string, problem: Report): Date[] {
  const nested = isRecord(item) && isRecord(item['date']) ? item['date'] : undefined;
  const fields = nested ?? item;
  if (!isRecord(fields)) {
    problem(path, 'expected {day, month, year, hour, minute}');
    return [];
  }
  const zone = isRecord(item) && item['tz'] !== undefined ? zoneOf(item['tz'], `${path}.tz`, problem) : tz;
  const parts = Object.fromEntries(
    dateParts.map((part) => [part, numberOf(fields[part], part === 'second' ? 0 : undefined)]),
  ) as Record<(typeof dateParts)[number], number | undefined>;
  const missing = dateParts.find((part) => parts[part] === undefined);
  const at = (part: string): string => `${path}${nested === undefined ? '' : '.date'}.${part}`;
  if (missing !== undefined) {
    problem(at(missing), fields[missing] === undefined ? 'is required' : 'expected a whole number');
    return [];
  }
  const instant = instantOf(parts as Record<(typeof dateParts)[number], number>, zone);
  if (instant !== undefined) return [instant];
  problem(
    path,
    `is no date of the calendar: ${dateParts.map((part) => `${part} ${parts[part]}`).join(', ')}`,
  );
  return [];
}

function numberOf(value: unknown, fallback: number | undefined): number | undefined {
  if (value === undefined || value === null || value === '') return fallback;
  const number = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isInteger(number) && number >= 0 ? number : undefined;
}
