/** Gong's "Signed JWT header": RS256 over the address and the digest of the body. */
import { isEqualText, readRs256, sha256Hex, type Values, type WebhookRequest } from '#kit/index';

/**
 * Why an automation-rule call is refused; undefined when Gong sent it, to this address, with this body, lately.
 * Source: help.gong.io, "Create a webhook rule" and "Prepare your receiving application … JWT header".
 */
export function refuseRuleCall(request: WebhookRequest, secrets: Values, now: Date): string | undefined {
  const token = (request.headers['authorization'] ?? '').replace(/^bearer\s+/i, '').trim();
  if (token === '') return 'The Authorization header is missing';
  const read = readRs256(token, secrets['publicKey'] ?? '', now);
  if ('refused' in read) return read.refused;
  const { webhook_url: url, body_sha256: digest } = read.claims;
  if (typeof url !== 'string' || typeof digest !== 'string')
    return 'The token lacks webhook_url or body_sha256';
  // Without this, a call Gong made for one connection could be replayed at another's address.
  if (normalized(url) !== normalized(request.url)) return 'The token was made for another address';
  if (!isEqualText(digest.toLowerCase(), sha256Hex(request.rawBody)))
    return 'The token does not fit the body';
  return undefined;
}

function normalized(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}${url.search}`;
}
