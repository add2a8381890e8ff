import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBaseDate } from '#engine/nodes/base-date';
import { delay } from '#engine/nodes/delay';
import type { NodeContext, NodeOutcome } from '#engine/nodes/node-type';

const now = new Date('2026-03-01T12:00:00Z');
const context = (mode: 'sync' | 'async' = 'async') => ({ now, mode }) as NodeContext;
const run = (given: unknown, mode?: 'sync' | 'async') =>
  delay.run(delay.settings.parse(given), context(mode)) as NodeOutcome;
const problems = (given: unknown) =>
  delay.settings.safeParse(given).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);

test('a delay suspends until its time and then says how long it waited', () => {
  const given = { action: 'wait_for', days: '1', hours: 2, minutes: '', seconds: 3 };
  const outcome = run(given);
  assert.equal(outcome.kind, 'suspended');
  if (outcome.kind !== 'suspended') return;
  assert.deepEqual(outcome.wait.dueAt, new Date('2026-03-02T14:00:03Z'));
  const since = now;
  const woken = { by: 'due', state: outcome.wait.state, payload: null, since } as const;
  assert.deepEqual(delay.resume?.(delay.settings.parse(given), context(), woken), {
    kind: 'done',
    body: 'Waited for 93603 seconds.',
    port: 'next',
  });
});

test('waiting till a time before or after a date gives the settings back', () => {
  const given = { action: 'Wait till', operand: 'before', base_date: '03/05/2026', days: 1 };
  const outcome = run(given);
  assert.ok(outcome.kind === 'suspended');
  assert.deepEqual(outcome.wait.dueAt, new Date('2026-03-04T00:00:00Z'));
  const woken = { by: 'due', state: outcome.wait.state, payload: null, since: now } as const;
  assert.deepEqual((delay.resume!(delay.settings.parse(given), context(), woken) as { body: unknown }).body, {
    days: 1,
    hours: 0,
    minutes: 0,
    seconds: 0,
    base_date: '03/05/2026',
    operand: '-',
  });
  const after = run({ ...given, operand: '+' });
  assert.ok(after.kind === 'suspended');
  assert.deepEqual(after.wait.dueAt, new Date('2026-03-06T00:00:00Z'));
});

test('a target in the past, and one of no length, goes on at once', () => {
  const past = run({ action: 'wait_till', base_date: '2026-01-01', operand: 'after', days: 1 });
  assert.equal(past.kind, 'done');
  assert.deepEqual(run({ action: 'wait_for' }), {
    kind: 'done',
    body: 'Waited for 0 seconds.',
    port: 'next',
  });
});

test('a sync call waits for nothing and is told so', () => {
  const outcome = run({ action: 'wait_for', days: 3 }, 'sync');
  assert.match((outcome as { body: string }).body, /^Waited for 0 seconds\. A sync call does not wait/);
  const till = run({ action: 'wait_till', base_date: '2026-03-02', days: 3 }, 'sync');
  assert.match((till as { body: { note: string } }).body.note, /does not wait/);
});

test('what is no whole number in its range is refused by the name of its field', () => {
  const is = (most: number) => `must be a whole number from 0 to ${most}`;
  assert.deepEqual(problems({ action: 'wait_for', days: 31, hours: '1.5', minutes: -1, seconds: 'soon' }), [
    `days: ${is(30)}`,
    `hours: ${is(23)}`,
    `minutes: ${is(59)}`,
    `seconds: ${is(59)}`,
  ]);
  assert.deepEqual(problems({ action: 'wait_for', days: 30, seconds: 1 }), [
    'days: a delay lasts 30 days at most, all units together',
  ]);
  assert.deepEqual(problems({}), ['action: choose "wait_for" or "wait_till"']);
  assert.deepEqual(problems({ action: 'sleep' }), ['action: "sleep" is neither "wait_for" nor "wait_till"']);
  assert.deepEqual(problems({ action: 'wait_till' }), ['base_date: is required by "wait_till"']);
  assert.deepEqual(problems({ action: 'wait_till', base_date: '2026-01-01', operand: 'around' }), [
    'operand: must be "before" or "after"',
  ]);
  assert.match(
    problems({ action: 'wait_till', base_date: '31/12/2026' })?.[0] ?? '',
    /^base_date: .*month first/,
  );
});

test('a target more than 30 days away fails and says how far it is', () => {
  const outcome = run({ action: 'wait_till', base_date: '2026-06-01' });
  assert.ok(outcome.kind === 'failed');
  assert.match(outcome.failure.message, /^base_date: "2026-06-01" is 92 days away/);
});

test('dates are read in four spellings, as UTC unless they say otherwise', () => {
  const read = (text: string) => readBaseDate(text)?.toISOString();
  assert.equal(read('2026-12-31'), '2026-12-31T00:00:00.000Z');
  assert.equal(read('2026-12-31T08:30'), '2026-12-31T08:30:00.000Z');
  assert.equal(read('2026-12-31T08:30:15.250+02:00'), '2026-12-31T06:30:15.250Z');
  assert.equal(read('2026-12-31T08:30:00-0530'), '2026-12-31T14:00:00.000Z');
  assert.equal(read('2026/2/3'), '2026-02-03T00:00:00.000Z');
  assert.equal(read('12/31/2026 23:59'), '2026-12-31T23:59:00.000Z');
  for (const wrong of ['2026-02-30', '31/12/2026', '2026-13-01', 'tomorrow', '', '2026-01-01T25:00']) {
    assert.equal(read(wrong), undefined, wrong);
  }
});
