import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';

interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Buckets kept before the idle ones are thrown out. */
const maxBuckets = 50_000;

/**
 * A token bucket a name, in this process: a limit against one noisy caller, not a quota. With several
 * processes each gives its own share.
 *
 * @param perMinute - 0 is no limit
 * @returns a function that takes one token or throws `rate_limited` with the wait until the next one
 */
export function createRateLimiter(clock: Clock, perMinute: number): (name: string) => void {
  if (perMinute <= 0) return () => undefined;
  // Ten seconds' worth at once: pages load in bursts.
  const limit = { perSecond: perMinute / 60, burst: Math.max(5, Math.ceil(perMinute / 6)) };
  const buckets = new Map<string, Bucket>();

  return (name) => {
    const now = clock.now().getTime();
    let bucket = buckets.get(name);
    if (bucket === undefined) {
      if (buckets.size >= maxBuckets) dropFull(buckets, limit, now);
      bucket = { tokens: limit.burst, at: now };
      buckets.set(name, bucket);
    }
    bucket.tokens = refilled(bucket, limit, now);
    bucket.at = now;
    if (bucket.tokens < 1) {
      const retryAfterSeconds = Math.max(1, Math.ceil((1 - bucket.tokens) / limit.perSecond));
      throw new AppError('rate_limited', { retryAfterSeconds });
    }
    bucket.tokens -= 1;
  };
}

function refilled(bucket: Bucket, limit: RateLimit, now: number): number {
  const gained = (Math.max(0, now - bucket.at) / 1000) * limit.perSecond;
  return Math.min(limit.burst, bucket.tokens + gained);
}

/** A bucket that has filled up again is the same as none. */
function dropFull(buckets: Map<string, Bucket>, limit: RateLimit, now: number): void {
  for (const [name, bucket] of buckets) {
    if (refilled(bucket, limit, now) >= limit.burst) buckets.delete(name);
  }
}
