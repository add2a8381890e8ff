import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge } from '#webhooks/window';

const start = Date.parse('2026-03-01T12:00:00Z');
const at = (minutes: number): Date => new Date(start + minutes * 60_000);

type Rule = Parameters<typeof judge>[0];

const rate: Rule = {
  watches: 'failure_rate',
  windowMinutes: 10,
  thresholdPercent: 50,
  leastRuns: 4,
  isFiring: false,
  watchedSince: at(0),
  brokenAt: null,
  lastCompletedAt: null,
  ended: 0,
  failed: 0,
};

/** Looks at a rule once a minute and answers what was told when. */
function told(rule: Rule, looks: readonly Partial<Rule>[]): string[] {
  let current = rule;
  return looks.flatMap((look, minute) => {
    const { event, ...verdict } = judge({ ...current, ...look }, at(minute));
    current = { ...current, ...verdict };
    return event === undefined ? [] : [`${minute}: ${event}`];
  });
}

describe('a failure rate', () => {
  test('is told at the threshold, once enough executions have ended', () => {
    assert.deepEqual(
      told(rate, [
        { ended: 3, failed: 3 },
        { ended: 5, failed: 2 },
        { ended: 6, failed: 3 },
        { ended: 8, failed: 8 },
      ]),
      ['2: Failure Rate Exceeded'],
    );
  });

  test('that goes up and down about its threshold rings once, and recovers once a whole window was well', () => {
    const wave = Array.from({ length: 20 }, (_, minute) => ({ ended: 10, failed: minute % 2 === 0 ? 6 : 4 }));
    const calm = Array.from({ length: 15 }, () => ({ ended: 10, failed: 1 }));
    assert.deepEqual(told(rate, [...wave, ...calm]), [
      '0: Failure Rate Exceeded',
      '28: Failure Rate Recovered',
    ]);
  });

  test('does not recover because few executions end while they fail', () => {
    const failing = Array.from({ length: 30 }, () => ({ ended: 1, failed: 1 }));
    assert.deepEqual(told(rate, [{ ended: 4, failed: 4 }, ...failing]), ['0: Failure Rate Exceeded']);
  });
});

test('a missing run is told after one whole window without a completed one, and once; so is the next one', () => {
  const none: Rule = { ...rate, watches: 'no_run', windowMinutes: 5 };
  const silence = Array.from({ length: 10 }, () => ({}));
  assert.deepEqual(told(none, [...silence, { lastCompletedAt: at(10) }]), [
    '5: Workflow Not Run',
    '10: Workflow Running Again',
  ]);
});
