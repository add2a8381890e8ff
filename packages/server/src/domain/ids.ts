import { createHash, randomBytes } from 'node:crypto';

let lastMs = 0;
let lastTail = 0n;
const maxTail = (1n << 48n) - 1n;

/**
 * A record id: 24 lower-case hex digits, 48 bits of Unix milliseconds followed by 48 bits that start
 * random and count up inside one millisecond. Ids made by one process sort in the order they were made,
 * so the primary key index stays append-only.
 *
 * @param nowMs - the wall clock in milliseconds; a clock that steps back does not break the order.
 */
export function newId(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    // Leave the top bit free: at most 2^47 ids can follow inside the same millisecond.
    lastTail = BigInt(`0x${randomBytes(6).toString('hex')}`) >> 1n;
  } else if (lastTail === maxTail) {
    lastMs += 1;
    lastTail = 0n;
  } else {
    lastTail += 1n;
  }
  return lastMs.toString(16).padStart(12, '0') + lastTail.toString(16).padStart(12, '0');
}

/** The smallest id that can be made at `at`; the bounds of a time range over ids. */
export function idFloor(at: Date): string {
  return at.getTime().toString(16).padStart(12, '0') + '000000000000';
}

/** When an id was made. */
export function idTime(id: string): Date {
  return new Date(Number.parseInt(id.slice(0, 12), 16));
}

/** Whether a string has the form of a record id. */
export function isId(value: string): boolean {
  return /^[0-9a-f]{24}$/.test(value);
}

/**
 * A stable record id for something that has no row: the same parts always give the same 24 hex digits.
 * Built-in apps get their `app_id` this way.
 */
export function derivedId(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\u0000')).digest('hex').slice(0, 24);
}
