import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#domain/errors';
import { createCallBudgets, memoryBudgetStore } from '#outbound/call-budget';

/** A clock that jumps to whenever somebody wants to wake. */
function virtualTime() {
  let now = 1_000_000_000_000;
  const clock = { now: () => new Date(now) };
  const wait = (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    now += ms;
    return Promise.resolve();
  };
  return { clock, wait, at: () => now, move: (ms: number) => (now += ms) };
}

const never = new AbortController().signal;

test('no second, wherever it starts, sees more than the limit', async () => {
  const time = virtualTime();
  const budgets = createCallBudgets({ store: memoryBudgetStore(time.clock), ...time });
  const calls: number[] = [];
  for (let i = 0; i < 60; i += 1) {
    await budgets.take({ key: 'c1', limits: { perSecond: 3 } }, Infinity, never);
    calls.push(time.at());
  }
  for (const start of calls) {
    assert.ok(calls.filter((at) => at >= start && at < start + 1000).length <= 3);
  }
  const seconds = ((calls.at(-1) ?? 0) - (calls[0] ?? 0)) / 1000;
  assert.ok(seconds >= 19 && seconds < 20, `60 calls took ${seconds} s`);
});

test('a large limit is kept over any span that is not all at the border of two windows', async () => {
  const time = virtualTime();
  const budgets = createCallBudgets({ store: memoryBudgetStore(time.clock), ...time });
  const start = time.at();
  for (let i = 0; i < 10_000; i += 1) {
    await budgets.take({ key: 'c1', limits: { perMinute: 1_000 } }, Infinity, never);
  }
  const minutes = (time.at() - start) / 60_000;
  assert.ok(minutes >= 9 && minutes < 11, `10,000 calls took ${minutes} min`);
});

test('a day that is used up is refused at once with the time to wait, not waited for', async () => {
  const time = virtualTime();
  const budgets = createCallBudgets({ store: memoryBudgetStore(time.clock), ...time });
  const budget = { key: 'c1', limits: { perDay: 5 } };
  for (let i = 0; i < 5; i += 1) await budgets.take(budget, time.at() + 30_000, never);
  await assert.rejects(budgets.take(budget, time.at() + 30_000, never), (error) => {
    assert.ok(error instanceof AppError && error.code === 'rate_limited');
    return true;
  });
  await budgets.take({ ...budget, key: 'c2' }, time.at() + 30_000, never);
});

test('a pause asked by the provider holds back calls without a declared limit too', async () => {
  const time = virtualTime();
  const budgets = createCallBudgets({ store: memoryBudgetStore(time.clock), ...time });
  const start = time.at();
  await budgets.take({ key: 'c1', limits: {} }, Infinity, never);
  assert.equal(time.at(), start);
  await budgets.pause('c1', 7_000);
  await budgets.take({ key: 'c1', limits: {} }, Infinity, never);
  assert.equal(time.at(), start + 7_000);
});

test('a caller that gives up leaves the queue and does not stop those behind it', async () => {
  const time = virtualTime();
  const budgets = createCallBudgets({ store: memoryBudgetStore(time.clock), ...time });
  const stop = new AbortController();
  const first = budgets.take({ key: 'c1', limits: { perSecond: 1 } }, Infinity, never);
  const second = budgets.take({ key: 'c1', limits: { perSecond: 1 } }, Infinity, stop.signal);
  const third = budgets.take({ key: 'c1', limits: { perSecond: 1 } }, Infinity, never);
  stop.abort(new Error('gone'));
  await first;
  await assert.rejects(second, /gone/);
  await third;
});
