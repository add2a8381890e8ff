/**
 * What sending a request twice does: `read` and `repeatable` may be resent freely; `once` only when it is known
 * that the provider never received it.
 */
export type Effect = 'read' | 'repeatable' | 'once';

/** How an attempt ended without a usable answer. */
export type Failure =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'network'; readonly wasNotSent: boolean };

export const maxAttempts = 3;
const baseDelayMs = 200;
const maxDelayMs = 5_000;

/**
 * How long to wait before the next attempt; undefined when there must not be one.
 *
 * 501 and 505 are left out of the retried statuses: the same request can never succeed there. A provider's
 * `Retry-After` is obeyed to the letter, and our own waits are spread over half their length so that callers
 * that failed together do not return together.
 *
 * @param random - 0 to 1.
 */
export function nextDelayMs(
  attempt: number,
  effect: Effect,
  failure: Failure,
  random: number,
): number | undefined {
  if (attempt >= maxAttempts || !mayRepeat(effect, failure)) return undefined;
  const asked = failure.kind === 'status' ? failure.retryAfterMs : undefined;
  if (asked !== undefined) return asked;
  return Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1)) * (0.5 + random / 2);
}

function mayRepeat(effect: Effect, failure: Failure): boolean {
  if (failure.kind === 'network') return effect !== 'once' || failure.wasNotSent;
  if (effect === 'once') return false;
  const { status } = failure;
  return status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** `Retry-After` in milliseconds from `now` (RFC 9110 §10.2.3: seconds or a date); undefined when absent or unreadable. */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
