import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { WebhookAuth } from '#domain/webhook-trigger';

/**
 * Judges a call of an inbound webhook URL by its header: an HMAC-SHA-256 over the bytes as they came (RFC 2104), or
 * a token that must be the same.
 *
 * @returns why it is refused; undefined when it is genuine
 */
export function refuseCall(
  auth: WebhookAuth,
  secret: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  rawBody: Uint8Array,
): string | undefined {
  if (auth.type === 'none') return undefined;
  if (secret === '') return 'the trigger has no secret to verify calls with';
  const value = headers[auth.header];
  if (typeof value !== 'string' || value === '') return `the header "${auth.header}" is missing`;
  if (auth.type === 'token') {
    return isSame(value, secret) ? undefined : `the token in "${auth.header}" is not the trigger's`;
  }
  if (!value.startsWith(auth.prefix)) return `"${auth.header}" does not begin with "${auth.prefix}"`;
  const given = value.slice(auth.prefix.length).trim();
  const expected = createHmac('sha256', secret).update(rawBody).digest(auth.encoding);
  const fits = isSame(auth.encoding === 'hex' ? given.toLowerCase() : given, expected);
  return fits ? undefined : `the signature in "${auth.header}" does not fit the body`;
}

/** Compares in a time that does not depend on where the texts differ. */
function isSame(a: string, b: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}
