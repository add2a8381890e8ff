import type { Clock } from '../clock.ts';
import { ApiError } from './errors.ts';

export interface RateLimit {
  requests: number;
  perSeconds: number;
}

/** Counts the requests of each caller in fixed windows and refuses what is over the limit. */
export function createRateLimiter(clock: Clock, limit: RateLimit) {
  let window = 0;
  let used = new Map<string, number>();

  /** Counts one request. Returns the headers of its answer, or throws the 429. */
  return (principalId: string): Record<string, string> => {
    const seconds = clock.now().getTime() / 1000;
    const current = Math.floor(seconds / limit.perSeconds);
    if (current !== window) {
      window = current;
      used = new Map();
    }
    const count = (used.get(principalId) ?? 0) + 1;
    used.set(principalId, count);
    const resetIn = String(Math.max(1, Math.ceil((current + 1) * limit.perSeconds - seconds)));
    const headers = {
      'x-ratelimit-limit': String(limit.requests),
      'x-ratelimit-remaining': String(Math.max(0, limit.requests - count)),
      'x-ratelimit-reset': resetIn,
    };
    if (count <= limit.requests) return headers;
    throw new ApiError(429, 'rate_limited', `Too many requests. Try again in ${resetIn} s.`, {
      headers: { ...headers, 'retry-after': resetIn },
    });
  };
}
