import type { NodeEffect, NodeFailure } from '#engine/nodes/node-type';

export interface RetryPolicy {
  readonly strategy: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxAttempts: number;
}

const defaultPolicy: RetryPolicy = { strategy: 'exponential', delayMs: 500, maxAttempts: 3 };
const longestDelayMs = 3_600_000;

/** Reads a node's retry policy; what is missing or makes no sense takes the default. */
export function readRetryPolicy(raw: unknown): RetryPolicy {
  if (typeof raw !== 'object' || raw === null) return defaultPolicy;
  const given = raw as Record<string, unknown>;
  const delayMs = wholeNumber(given['delay'] ?? given['delay_ms']);
  const maxAttempts = wholeNumber(given['max_attempts'] ?? given['maxAttempts']);
  return {
    strategy: String(given['strategy']).toLowerCase() === 'fixed' ? 'fixed' : 'exponential',
    delayMs: delayMs ?? defaultPolicy.delayMs,
    maxAttempts: Math.min(Math.max(maxAttempts ?? defaultPolicy.maxAttempts, 1), 20),
  };
}

/**
 * How long to wait before the next attempt; `undefined`: there is none.
 *
 * A `once` node is tried again only when the failure says that nothing happened. Delays are spread over 75-125 %
 * so that runs that failed together do not return together; `Retry-After` is the least that is waited.
 *
 * @param random - a number in [0, 1)
 */
export function nextAttemptInMs(
  policy: RetryPolicy,
  attempt: number,
  failure: NodeFailure,
  effect: NodeEffect,
  random: number,
): number | undefined {
  if (failure.retry === 'never' || attempt >= policy.maxAttempts) return undefined;
  if (failure.retry === 'unknown' && effect === 'once') return undefined;
  const grown = policy.strategy === 'fixed' ? policy.delayMs : policy.delayMs * 2 ** (attempt - 1);
  const spread = grown * (0.75 + random / 2);
  return Math.round(Math.min(Math.max(spread, failure.retryAfterMs ?? 0), longestDelayMs));
}

/** Whether an HTTP status of a provider is worth another attempt, and how sure it is that nothing happened. */
export function retryOfStatus(status: number): NodeFailure['retry'] {
  if (status === 429) return 'safe';
  return status === 0 || status === 408 || status >= 500 ? 'unknown' : 'never';
}

function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : undefined;
}
