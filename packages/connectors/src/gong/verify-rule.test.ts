import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { sha256Hex, type Values, webhookRequest } from '#kit/index';
import { refuseRuleCall } from '#gong/verify-rule';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const now = new Date('2026-03-02T19:00:00Z');
const seconds = now.getTime() / 1000;
const url = 'https://inlay.example/hook/1?x=1';
const rawBody = '{"callData":{"metaData":{"id":"1"}},"isTest":false}';
const good = { webhook_url: url, body_sha256: sha256Hex(Buffer.from(rawBody)), exp: seconds + 60 };
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(claims: object, header: object = { alg: 'RS256' }, key = privateKey): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

function judge(
  authorization: string,
  change: { url?: string; rawBody?: string } = {},
  secrets: Values = { publicKey: pem },
) {
  const request = webhookRequest({ method: 'POST', url, headers: { authorization }, rawBody, ...change });
  return refuseRuleCall(request, secrets, now);
}

test('a call that Gong signed is accepted, with or without "Bearer"', () => {
  assert.equal(judge(tokenOf(good)), undefined);
  assert.equal(judge(`Bearer ${tokenOf(good)}`), undefined);
});

test('the key may be pasted without its PEM frame', () => {
  const bare = pem.replaceAll(/-----.*-----|\n/g, '');
  assert.equal(judge(tokenOf(good), {}, { publicKey: bare }), undefined);
});

test('a trailing slash and the case of the host do not matter, the path and query do', () => {
  assert.equal(judge(tokenOf({ ...good, webhook_url: 'https://INLAY.example/hook/1/?x=1' })), undefined);
  assert.match(judge(tokenOf(good), { url: 'https://inlay.example/hook/2?x=1' }) ?? '', /another address/);
  assert.match(judge(tokenOf(good), { url: 'https://inlay.example/hook/1' }) ?? '', /another address/);
});

describe('refused is', () => {
  const { exp: _none, ...endless } = good;
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const head = `${part({ alg: 'HS256' })}.${part(good)}`;
  const confused = `${head}.${createHmac('sha256', pem).update(head).digest('base64url')}`;
  const cases: readonly [string, string | undefined, RegExp][] = [
    ['no token', judge(''), /missing/],
    ['something that is no token', judge('Bearer abc'), /no JWT/],
    ['a changed body', judge(tokenOf(good), { rawBody: `${rawBody} ` }), /body/],
    ['an expired token', judge(tokenOf({ ...good, exp: seconds - 61 })), /expired/],
    ['a token that never expires', judge(tokenOf(endless)), /no expiry/],
    ['a token of another key', judge(tokenOf(good, { alg: 'RS256' }, other)), /not signed with the key/],
    ['an unsigned token', judge(`${part({ alg: 'none' })}.${part(good)}.`), /RS256/],
    ['the public key used as a secret (HS256)', judge(confused), /RS256/],
    ['a token without claims', judge(tokenOf({ exp: seconds + 60 })), /lacks/],
    ['any token when no key is stored', judge(tokenOf(good), {}, {}), /no RSA public key/],
  ];
  for (const [name, reason, expected] of cases) {
    test(name, () => assert.match(reason ?? 'accepted', expected));
  }
});
