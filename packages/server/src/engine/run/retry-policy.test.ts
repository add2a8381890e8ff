import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAttemptInMs, readRetryPolicy, retryOfStatus } from '#engine/run/retry-policy';

const policy = { strategy: 'exponential', delayMs: 100, maxAttempts: 4 } as const;
const unknown = { message: 'it broke', retry: 'unknown' } as const;

test('exponential delays double and are spread by a quarter; fixed ones stay', () => {
  assert.equal(nextAttemptInMs(policy, 1, unknown, 'read', 0.5), 100);
  assert.equal(nextAttemptInMs(policy, 3, unknown, 'read', 0.5), 400);
  assert.equal(nextAttemptInMs(policy, 3, unknown, 'read', 0), 300);
  assert.equal(nextAttemptInMs({ ...policy, strategy: 'fixed' }, 3, unknown, 'read', 0.5), 100);
});

test('the last attempt of the policy is the last', () => {
  assert.equal(nextAttemptInMs(policy, 4, unknown, 'read', 0), undefined);
});

test('Retry-After is the least that is waited, and an hour the most', () => {
  assert.equal(nextAttemptInMs(policy, 1, { ...unknown, retryAfterMs: 7_000 }, 'read', 0), 7_000);
  assert.equal(nextAttemptInMs(policy, 1, { ...unknown, retryAfterMs: 9e9 }, 'read', 0), 3_600_000);
});

test('what must happen once is tried again only when it certainly did not happen', () => {
  assert.equal(nextAttemptInMs(policy, 1, unknown, 'once', 0.5), undefined);
  assert.equal(nextAttemptInMs(policy, 1, { ...unknown, retry: 'safe' }, 'once', 0.5), 100);
  assert.equal(nextAttemptInMs(policy, 1, { ...unknown, retry: 'never' }, 'read', 0.5), undefined);
});

test('429 is safe to repeat, 5xx and silence are unknown, other refusals stand', () => {
  assert.deepEqual([429, 500, 503, 408, 0, 400, 401, 404, 422].map(retryOfStatus), [
    'safe',
    'unknown',
    'unknown',
    'unknown',
    'unknown',
    'never',
    'never',
    'never',
    'never',
  ]);
});

test('an author chooses which failures are worth another attempt', () => {
  const read = (retry_on: unknown) => readRetryPolicy({ retry_on });
  const isRetried = (list: unknown, failure: { status?: number; retry: 'safe' | 'unknown' | 'never' }) =>
    nextAttemptInMs(read(list), 1, { message: 'no', ...failure }, 'read', 0.5) !== undefined;
  const list = [404, '5XX', 'network'];
  assert.ok(isRetried(list, { status: 404, retry: 'never' }), 'a refusal that the author names');
  assert.ok(isRetried(list, { status: 503, retry: 'unknown' }));
  assert.ok(isRetried(list, { status: 0, retry: 'unknown' }));
  assert.ok(!isRetried(list, { status: 429, retry: 'safe' }), 'what is not named is not repeated');
  assert.ok(!isRetried(list, { retry: 'never' }), 'settings that are wrong stay wrong');
  assert.ok(!isRetried(['429'], { status: 0, retry: 'unknown' }));
  assert.ok(isRetried(['429'], { status: 429, retry: 'safe' }));
  for (const nothing of [[], ['sometimes', 9], 'all', undefined]) {
    assert.deepEqual(read(nothing), readRetryPolicy({}));
  }
  const named = read([500]);
  const fault = { message: 'no', status: 500, retry: 'unknown' } as const;
  assert.equal(nextAttemptInMs(named, 1, fault, 'once', 0.5), undefined, 'once stays once');
});

test('a policy that makes no sense takes the default, and attempts are bounded', () => {
  assert.deepEqual(readRetryPolicy('often'), readRetryPolicy(undefined));
  assert.equal(readRetryPolicy({ max_attempts: 0 }).maxAttempts, 1);
  assert.equal(readRetryPolicy({ max_attempts: 1_000 }).maxAttempts, 20);
  assert.deepEqual(readRetryPolicy({ strategy: 'Fixed', delay: '250', maxAttempts: 2 }), {
    strategy: 'fixed',
    delayMs: 250,
    maxAttempts: 2,
  });
  assert.equal(readRetryPolicy({ delay: -5 }).delayMs, 500);
});
