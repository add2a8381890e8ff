import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newScheduleProblems, readSchedule, type ScheduleSpec } from '#domain/schedule-spec';
import { decideDue, jitterMs, lastTime, nextTime } from '#domain/schedule-times';

function cron(pattern: string, tz = 'UTC', more: Record<string, unknown> = {}): ScheduleSpec {
  return read({ trigger_type: 'cron', regex: pattern, tz, ...more });
}

function read(declared: Record<string, unknown>): ScheduleSpec {
  const result = readSchedule(declared);
  if ('problems' in result) assert.fail(JSON.stringify(result.problems));
  return result.spec;
}

function problems(declared: Record<string, unknown>): string {
  const result = readSchedule(declared);
  const found =
    'problems' in result ? result.problems : newScheduleProblems(result.spec, new Date('2026-01-01T00:00Z'));
  assert.notEqual(found.length, 0, 'nothing was wrong with it');
  return found.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

/** The next occurrences after a moment, as UTC without seconds. */
function following(spec: ScheduleSpec, after: string, count: number): string[] {
  const times: string[] = [];
  let at: Date | undefined = new Date(after);
  while (times.length < count) {
    at = nextTime(spec, at);
    if (at === undefined) break;
    times.push(at.toISOString().slice(5, 16));
  }
  return times;
}

describe('where the clocks go forward', () => {
  const gaps: readonly [string, string, string, string, string[]][] = [
    // Berlin 2026-03-29: 02:00 is 03:00
    [
      'a time that is skipped',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['03-29T01:00', '03-30T00:30'],
    ],
    ['the hour after', '30 3 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', ['03-29T01:30', '03-30T01:30']],
    // New York 2026-03-08: 02:00 is 03:00
    ['a skipped time', '15 2 * * *', 'America/New_York', '2026-03-07T12:00Z', ['03-08T07:00', '03-09T06:15']],
    // Lord Howe moves by half an hour, 2026-10-04: 02:00 is 02:30
    [
      'half an hour',
      '10 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00Z',
      ['10-03T15:30', '10-04T15:10'],
    ],
    // Santiago 2026-09-06: midnight does not exist
    ['a midnight', '0 0 * * *', 'America/Santiago', '2026-09-05T12:00Z', ['09-06T04:00', '09-07T03:00']],
  ];
  for (const [what, pattern, tz, after, expected] of gaps) {
    test(`${what} of ${tz} comes due once, right after the gap`, () => {
      assert.deepEqual(following(cron(pattern, tz), after, 2), expected);
    });
  }

  test('what repeats within the hour goes on at its own pace', () => {
    assert.deepEqual(following(cron('*/30 * * * *', 'Europe/Berlin'), '2026-03-29T00:20Z', 4), [
      '03-29T00:30',
      '03-29T01:00',
      '03-29T01:30',
      '03-29T02:00',
    ]);
  });
});

describe('where the clocks go back', () => {
  const overlaps: readonly [string, string, string, string[]][] = [
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', ['10-25T00:30', '10-26T01:30']],
    ['30 1 * * *', 'America/New_York', '2026-10-31T12:00Z', ['11-01T05:30', '11-02T06:30']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T20:00Z', ['04-04T14:45', '04-05T15:15']],
  ];
  for (const [pattern, tz, after, expected] of overlaps) {
    test(`a time of ${tz} that comes twice comes due once`, () => {
      assert.deepEqual(following(cron(pattern, tz), after, 2), expected);
    });
  }

  test('what repeats within the hour comes due in both hours, each moment once', () => {
    const spec = cron('*/30 * * * *', 'Europe/Berlin');
    assert.deepEqual(following(spec, '2026-10-24T23:50Z', 5), [
      '10-25T00:00',
      '10-25T00:30',
      '10-25T01:00',
      '10-25T01:30',
      '10-25T02:00',
    ]);
  });
});

describe('in every zone and over a whole year', () => {
  for (const tz of ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']) {
    test(`occurrences of ${tz} go forward, never twice the same, a day apart give or take an hour`, () => {
      const spec = cron('15 2 * * *', tz);
      let at = new Date('2026-01-01T00:00Z');
      for (let day = 0; day < 365; day += 1) {
        const next = nextTime(spec, at);
        assert.ok(next !== undefined && next > at);
        if (day > 0) assert.ok(Math.abs(next.getTime() - at.getTime() - 24 * 3_600_000) <= 3_600_000);
        assert.deepEqual(lastTime(spec, next), next);
        assert.deepEqual(
          lastTime(spec, new Date(next.getTime() - 1_000)),
          day === 0 ? lastTime(spec, at) : at,
        );
        at = next;
      }
    });
  }
});

describe('bounds', () => {
  test('a start at an occurrence counts, and so does an end', () => {
    const spec = cron('0 12 * * *', 'UTC', {
      startDate: '2026-05-01T12:00:00Z',
      endDate: '2026-05-02T12:00:00Z',
    });
    assert.deepEqual(following(spec, '2026-01-01T00:00Z', 5), ['05-01T12:00', '05-02T12:00']);
    assert.equal(lastTime(spec, new Date('2026-05-01T11:59Z')), undefined);
    assert.deepEqual(lastTime(spec, new Date('2027-01-01T00:00Z')), new Date('2026-05-02T12:00Z'));
  });

  test('a bare day is of the zone of the schedule, and the last one counts whole', () => {
    const spec = cron('0 0,23 * * *', 'Asia/Tokyo', { startDate: '2026-05-01', endDate: '2026-05-01' });
    assert.deepEqual(following(spec, '2026-01-01T00:00Z', 5), ['04-30T15:00', '05-01T14:00']);
  });
});

describe('listed dates', () => {
  test('take both shapes, texts for numbers, and zones of their own; a repeated one counts once', () => {
    const spec = read({
      trigger_type: 'interval',
      tz: 'Europe/Berlin',
      interval_dates: [
        { day: '2', month: '7', year: '2026', hour: '9', minute: '0' },
        { date: { day: 1, month: 7, year: 2026, hour: 9, minute: 0, second: 0 }, tz: 'America/New_York' },
        { day: 2, month: 7, year: 2026, hour: 9, minute: 0 },
      ],
    });
    assert.deepEqual(following(spec, '2026-01-01T00:00Z', 5), ['07-01T13:00', '07-02T07:00']);
    assert.deepEqual(lastTime(spec, new Date('2026-07-01T14:00Z')), new Date('2026-07-01T13:00Z'));
  });
});

describe('what is late', () => {
  const due = new Date('2026-05-01T00:00Z');
  const hours = (count: number) => new Date(due.getTime() + count * 3_600_000 + 1_000);
  const hourly = (policy: string) => cron('0 * * * *', 'UTC', { catch_up: policy });

  test('fires once on time by every policy', () => {
    for (const policy of ['skip', 'one', 'all']) {
      assert.deepEqual(decideDue(hourly(policy), due, hours(0)), {
        fire: [due],
        next: new Date('2026-05-01T01:00Z'),
      });
    }
  });
  test('is passed over by "skip", until the next occurrence', () => {
    const now = new Date('2026-05-01T05:30Z');
    assert.deepEqual(decideDue(hourly('skip'), due, now), { fire: [], next: new Date('2026-05-01T06:00Z') });
  });
  test('is fired once for all by "one": the latest', () => {
    const { fire, next } = decideDue(hourly('one'), due, hours(5));
    assert.deepEqual([fire, next], [[new Date('2026-05-01T05:00Z')], new Date('2026-05-01T06:00Z')]);
  });
  test('is fired one by one by "all", a hundred at a time', () => {
    const five = decideDue(hourly('all'), due, hours(5));
    assert.equal(five.fire.length, 6);
    assert.deepEqual(five.next, new Date('2026-05-01T06:00Z'));
    const many = decideDue(hourly('all'), due, hours(1_000));
    assert.equal(many.fire.length, 100);
    assert.deepEqual(many.next, new Date(due.getTime() + 100 * 3_600_000));
  });
  test('of a year at every fifth minute is decided without walking through the year', () => {
    const spec = cron('*/5 * * * *', 'Europe/Berlin');
    const now = new Date('2027-05-01T00:00:01Z');
    assert.deepEqual(decideDue(spec, due, now), {
      fire: [new Date('2027-05-01T00:00Z')],
      next: new Date('2027-05-01T00:05Z'),
    });
  });
  test('and past its end is over', () => {
    const spec = cron('0 * * * *', 'UTC', { endDate: '2026-05-01T02:00:00Z' });
    assert.deepEqual(decideDue(spec, due, hours(9)), {
      fire: [new Date('2026-05-01T02:00Z')],
      next: undefined,
    });
  });
});

describe('jitter', () => {
  const at = new Date('2026-05-01T00:00Z');
  test('is the same for the same account, and spreads others over the minute', () => {
    const spec = cron('0 9 * * *');
    const delays = Array.from({ length: 200 }, (_, i) => jitterMs(spec, at, `account ${i}`));
    assert.equal(jitterMs(spec, at, 'account 7'), delays[7]);
    assert.ok(delays.every((ms) => ms >= 0 && ms < 60_000));
    assert.ok(new Set(delays.map((ms) => Math.floor(ms / 6_000))).size === 10);
  });
  test('is at most a tenth of the interval', () => {
    const spec = cron('*/5 * * * *');
    assert.ok(Array.from({ length: 200 }, (_, i) => jitterMs(spec, at, `${i}`)).every((ms) => ms < 30_000));
  });
});

describe('a schedule that cannot be', () => {
  const bad: readonly [Record<string, unknown>, RegExp][] = [
    [{}, /^trigger_type is required: .+; a start node takes "cron" or "dates" without it$/],
    [{ trigger_type: 'hourly' }, /^trigger_type: "hourly" is none/],
    [
      { trigger_type: 'cron' },
      /^Cron Job Could Not Be Added {2}, Regex Configuration failed to register: a cron expression/,
    ],
    [{ trigger_type: 'cron', regex: 'every day' }, /"every day" has 2 fields/],
    [{ trigger_type: 'cron', regex: '0 0 0 * * *' }, /has 6 fields/],
    [{ trigger_type: 'cron', regex: '61 * * * *' }, /Invalid value for minute: 61/],
    [{ trigger_type: 'cron', regex: '2026-01-01T00:00:00' }, /has 1 fields/],
    [{ trigger_type: 'cron', regex: '0 0 30 2 *' }, /never comes due/],
    [{ trigger_type: 'cron', regex: '* * * * *' }, /fires every 1 min; 5 min is the shortest/],
    [{ trigger_type: 'cron', regex: '0,3 * * * *' }, /fires every 3 min/],
    [{ trigger_type: 'cron', regex: '58,1 8-18 * * *' }, /fires every 3 min/],
    [{ trigger_type: 'cron', regex: 7 }, /a cron expression of five fields is required/],
    [
      { trigger_type: 'cron', regex: '0 * * * *', tz: 'Mars/Olympus' },
      /^tz: "Mars\/Olympus" is no time zone/,
    ],
    [{ trigger_type: 'cron', regex: '0 * * * *', startDate: 'soon' }, /^startDate: "soon" is no date/],
    [
      { trigger_type: 'cron', regex: '0 * * * *', endDate: '2026-02-30' },
      /^endDate: "2026-02-30" is no date/,
    ],
    [
      { trigger_type: 'cron', regex: '0 * * * *', startDate: '2026-05-02', endDate: '2026-05-01' },
      /^endDate: lies before startDate/,
    ],
    [{ trigger_type: 'cron', regex: '0 * * * *', catch_up: 'most' }, /^catch_up: "most" is none/],
    [{ trigger_type: 'interval' }, /^interval_dates: list at least one date/],
    [{ trigger_type: 'interval', interval_dates: ['tomorrow'] }, /^interval_dates\[0\]: expected \{day/],
    [
      { trigger_type: 'interval', interval_dates: [{ day: 1, month: 1, year: 2030, hour: 'x', minute: 0 }] },
      /^interval_dates\[0\]\.hour: expected a whole number/,
    ],
    [
      {
        trigger_type: 'interval',
        interval_dates: [{ date: { day: 31, month: 2, year: 2030, hour: 0, minute: 0 } }],
      },
      /^interval_dates\[0\]: is no date of the calendar/,
    ],
    [
      {
        trigger_type: 'interval',
        interval_dates: [0, 4].map((minute) => ({ day: 1, month: 1, year: 2030, hour: 0, minute })),
      },
      /are less than 5 min apart/,
    ],
  ];
  for (const [declared, message] of bad) {
    test(`${JSON.stringify(declared)} says why`, () => assert.match(problems(declared), message));
  }

  test('one whose minutes meet only around hours that do not match is one', () => {
    assert.deepEqual(following(cron('58,1 9,17 * * *'), '2026-05-01T00:00Z', 2), [
      '05-01T09:01',
      '05-01T09:58',
    ]);
  });

  test('nor be made of the past', () => {
    const now = new Date('2026-05-01T00:00Z');
    const past = read({
      trigger_type: 'interval',
      interval_dates: [{ day: 1, month: 1, year: 2026, hour: 0, minute: 0 }],
    });
    assert.match(newScheduleProblems(past, now)[0]!.message, /2026-01-01T00:00:00.000Z is past/);
    assert.equal(
      newScheduleProblems(cron('0 * * * *', 'UTC', { endDate: '2026-04-01' }), now)[0]?.path,
      'endDate',
    );
    assert.deepEqual(newScheduleProblems(cron('0 * * * *'), now), []);
  });
});
