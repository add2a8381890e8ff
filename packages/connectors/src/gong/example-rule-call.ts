/** A call as Gong's automation rules make it, signed with a key made on the spot. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { sha256Hex, type WebhookExample, webhookRequest } from '#kit/index';

const payload = {
  callData: {
    metaData: {
      id: '7782342274025937895',
      url: 'https://app.gong.io/call?id=7782342274025937895',
      title: 'Discovery call',
      started: '2026-03-02T10:00:00-08:00',
      duration: 1860,
      direction: 'Conference',
      system: 'Zoom',
      scope: 'External',
    },
    parties: [{ name: 'Jon Snow', emailAddress: 'jon.snow@example.com', affiliation: 'Internal' }],
  },
  isTest: false,
};

/** Used by the common suite, which then tampers with body, address and time. */
export function exampleRuleCall(): WebhookExample {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const now = new Date('2026-03-02T19:00:00Z');
  const seconds = Math.floor(now.getTime() / 1000);
  const url = 'https://inlay.example/api/v1/webhook/gong/65f0c0ffee0000000000c0de';
  const rawBody = JSON.stringify(payload);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    webhook_url: url,
    body_sha256: sha256Hex(Buffer.from(rawBody)),
    iat: seconds,
    exp: seconds + 60,
  };
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url');
  return {
    now,
    secrets: { publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() },
    request: webhookRequest({
      method: 'POST',
      url,
      headers: { authorization: `Bearer ${signed}.${signature}`, 'content-type': 'application/json' },
      rawBody,
    }),
  };
}
