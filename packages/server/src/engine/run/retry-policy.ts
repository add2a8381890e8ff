import type { NodeEffect, NodeFailure } from '#engine/nodes/node-type';

export interface RetryPolicy {
  readonly strategy: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxAttempts: number;
  /** The author's own choice of failures worth another attempt; undefined: ours. */
  readonly retryOn?: RetrySet;
}

interface RetrySet {
  readonly statuses: ReadonlySet<number>;
  /** First digits of classes of statuses, such as 5 of `5xx`. */
  readonly classes: ReadonlySet<number>;
  /** Nothing came back. */
  readonly network: boolean;
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
    ...retryOn(given['retry_on'] ?? given['retryable']),
  };
}

/** `[429, "5xx", "network"]`; what is none of these counts for nothing, and a list without any is no choice. */
function retryOn(given: unknown): { retryOn?: RetrySet } {
  if (!Array.isArray(given)) return {};
  const words = given.map((item) => String(item).trim().toLowerCase());
  const statuses = new Set(words.filter((word) => /^[1-5]\d\d$/.test(word)).map(Number));
  const classes = new Set(words.filter((word) => /^[1-5]xx$/.test(word)).map((word) => Number(word[0])));
  const network = words.includes('network');
  return statuses.size + classes.size > 0 || network ? { retryOn: { statuses, classes, network } } : {};
}

/** Whether a failure is worth another attempt. An author may add refusals and leave out faults, by their status. */
function isRetried({ retryOn: chosen }: RetryPolicy, { status = 0, retry }: NodeFailure): boolean {
  if (chosen === undefined) return retry !== 'never';
  // A failure of our own checks has no status, and fails the same way again.
  if (status === 0) return retry !== 'never' && chosen.network;
  return chosen.statuses.has(status) || chosen.classes.has(Math.floor(status / 100));
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
  if (attempt >= policy.maxAttempts || !isRetried(policy, failure)) return undefined;
  // A refusal was answered, so nothing happened; silence and faults may have done their work.
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
