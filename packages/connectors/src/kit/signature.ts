/** Signatures that several providers share. Each judge returns why a call is refused, or undefined. */
import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { isRecord } from '#kit/json';
import type { Refusal, WebhookRequest } from '#kit/trigger';

/** Old calls are replays; five minutes is what Standard Webhooks and Stripe allow for slow clocks and networks. */
const TOLERANCE_SECONDS = 300;

/** Compares texts in a time that does not depend on where they differ. */
export function isEqualText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The hex SHA-256 of bytes. */
export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Judges a call signed by Standard Webhooks (standardwebhooks.com, "Signature scheme"): HMAC-SHA256 over
 * `id.timestamp.body`, any one of several signatures may fit, timestamp within five minutes of ours.
 */
export function refuseStandardWebhook(request: WebhookRequest, secret: string, now: Date): Refusal {
  const id = request.headers['webhook-id'];
  const timestamp = request.headers['webhook-timestamp'];
  const signatures = request.headers['webhook-signature'];
  if (id === undefined || timestamp === undefined || signatures === undefined) {
    return 'A webhook-id, webhook-timestamp or webhook-signature header is missing';
  }
  if (!/^\d{1,12}$/.test(timestamp)) return 'The timestamp is no number of seconds';
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) {
    return 'The timestamp is more than five minutes from now';
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (key.length === 0) return 'There is no secret to verify with';
  const expected = createHmac('sha256', key)
    .update(`${id}.${timestamp}.`)
    .update(request.rawBody)
    .digest('base64');
  const fits = signatures.split(' ').some((signature) => isEqualText(signature, `v1,${expected}`));
  return fits ? undefined : 'No signature fits the body';
}

/**
 * The claims of a JWT signed with RS256 (RFC 7519), or why it is refused. `alg` is fixed here and never read from
 * the token to choose a check; a token without `exp` is refused, since it would be good for ever.
 */
export function readRs256(
  token: string,
  publicKey: string,
  now: Date,
): { claims: Record<string, unknown> } | { refused: string } {
  const [head, body, signature, ...rest] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) {
    return { refused: 'The token is no JWT' };
  }
  const header = decodePart(head);
  if (header?.['alg'] !== 'RS256') return { refused: 'The token is not signed with RS256' };
  const key = rsaKey(publicKey);
  if (key === undefined) return { refused: 'The public key stored for this connection is no RSA public key' };
  const isGenuine = verify(
    'RSA-SHA256',
    Buffer.from(`${head}.${body}`, 'ascii'),
    key,
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine) return { refused: 'The token was not signed with the key stored for this connection' };
  const claims = decodePart(body);
  const expires = claims?.['exp'];
  if (claims === undefined || typeof expires !== 'number') return { refused: 'The token names no expiry' };
  if (now.getTime() / 1000 > expires + 60) return { refused: 'The token has expired' };
  return { claims };
}

function decodePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a PEM key, or the bare base64 that some admin pages show. */
function rsaKey(text: string): KeyObject | undefined {
  const pem = text.includes('-----BEGIN')
    ? text
    : `-----BEGIN PUBLIC KEY-----\n${text.replaceAll(/\s/g, '').replaceAll(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----`;
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === 'rsa' ? key : undefined;
  } catch {
    return undefined;
  }
}
