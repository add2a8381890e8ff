import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecretName } from '#domain/secret-name';

test('names of headers and parameters that hold secrets are known, those of others are not', () => {
  const secret = [
    'Authorization',
    'proxy-authorization',
    'Set-Cookie',
    'x-api-key',
    'X-Acme-Key',
    'apikey',
    'access_token',
  ];
  const more = [
    'client_secret',
    'X-Auth',
    'x-auth-email',
    'Ocp-Apim-Subscription-Key',
    'password',
    'sig',
    'x-hub-signature-256',
  ];
  for (const name of [...secret, ...more]) assert.equal(isSecretName(name), true, name);
  for (const name of [
    'accept',
    'x-author',
    'content-type',
    'Idempotency-Key',
    'keyword',
    'signal',
    'design',
  ]) {
    assert.equal(isSecretName(name), false, name);
  }
});
