import { createHmac } from 'node:crypto';

/**
 * Headers that prove a body to be ours. `x-cobalt-signature` is the hex HMAC-SHA-256 of the raw body; the others are
 * Standard Webhooks 1.0 (its secret is `whsec_` and the base64 of the same key), which also cover id and time.
 *
 * @param key - the oldest API key of the environment that works
 */
export function signatureHeaders(
  key: string,
  { id, at, body }: { readonly id: string; readonly at: Date; readonly body: string },
): Readonly<Record<string, string>> {
  const timestamp = Math.floor(at.getTime() / 1000);
  const hmac = (text: string) => createHmac('sha256', key).update(text);
  return {
    'x-cobalt-signature': hmac(body).digest('hex'),
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${hmac(`${id}.${timestamp}.${body}`).digest('base64')}`,
  };
}
