import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findConnector } from '@inlay/connectors';
import * as oauth from 'oauth4webapi';
import { exchangeCode, refreshTokens, type TokenRequest, TokenRefusal } from '#connections/token-endpoint';
import type { Outbound, OutboundRequest } from '#outbound/index';

const now = new Date('2026-03-01T12:00:00Z');
const redirectUri = 'https://inlay.example/api/v1/gong/callback';

/** A token endpoint that answers once and keeps what it was sent. */
function endpoint(status: number, answer: object): Outbound & { readonly sent: OutboundRequest[] } {
  const sent: OutboundRequest[] = [];
  return {
    sent,
    async send(request) {
      sent.push(request);
      const body = Buffer.from(JSON.stringify(answer));
      return { status, headers: { 'content-type': 'application/json' }, body, url: String(request.url) };
    },
    open: () => Promise.reject(new Error('not used here')),
    connect: () => Promise.reject(new Error('not used here')),
    close: async () => {},
  };
}

function formOf(request: OutboundRequest | undefined): Record<string, string> {
  assert.equal(typeof request?.body, 'string');
  return Object.fromEntries(new URLSearchParams(request?.body as string));
}

function gongRequest(): TokenRequest {
  const connector = findConnector('gong');
  const oauth2 = connector?.auth.oauth2;
  assert.ok(connector && oauth2);
  const client = { id: 'inlay-app', secret: 'a secret: of 2 parts' };
  return { connector, oauth2, client, place: { meta: {}, vars: {} }, now };
}

function callbackOf(request: TokenRequest): URLSearchParams {
  const query = new URLSearchParams({ code: 'c0de', state: 's' });
  return oauth.validateAuthResponse(
    { issuer: 'https://app.gong.io' },
    { client_id: request.client.id },
    query,
    's',
  );
}

const tokens = {
  access_token: 'at-1',
  refresh_token: 'rt-1',
  token_type: 'bearer',
  scope: 'api:users:read api:calls:read:basic',
  api_base_url_for_customer: 'https://company-17.api.gong.io',
};

describe('Gong', () => {
  test('exchanges a code with Basic authentication and the client id in the form, without PKCE', async () => {
    const request = gongRequest();
    const outbound = endpoint(200, { ...tokens, expires_in: 3600 });
    const input = { callback: callbackOf(request), redirectUri, verifier: undefined };
    const grant = await exchangeCode(outbound, request, input);

    const [sent] = outbound.sent;
    assert.ok(sent);
    assert.equal(String(sent.url), 'https://app.gong.io/oauth2/generate-customer-token');
    assert.deepEqual(formOf(sent), {
      grant_type: 'authorization_code',
      code: 'c0de',
      redirect_uri: redirectUri,
      client_id: 'inlay-app',
    });
    assert.match(sent.headers?.['authorization'] ?? '', /^Basic /);
    assert.deepEqual(grant.meta, { api_base_url_for_customer: 'https://company-17.api.gong.io' });
    assert.deepEqual(grant.scopes, ['api:users:read', 'api:calls:read:basic']);
    assert.equal(grant.expiresAt?.toISOString(), '2026-03-01T13:00:00.000Z');
  });

  test('tokens without an expiry live the day that Gong documents', async () => {
    const request = gongRequest();
    const input = { callback: callbackOf(request), redirectUri, verifier: undefined };
    const grant = await exchangeCode(endpoint(200, tokens), request, input);
    assert.equal(grant.expiresAt?.toISOString(), '2026-03-02T12:00:00.000Z');
  });

  test('refreshes to a new pair', async () => {
    const outbound = endpoint(200, { ...tokens, access_token: 'at-2', refresh_token: 'rt-2' });
    const grant = await refreshTokens(outbound, gongRequest(), { refreshToken: 'rt-1', redirectUri });
    assert.deepEqual(formOf(outbound.sent[0]), {
      grant_type: 'refresh_token',
      refresh_token: 'rt-1',
    });
    assert.deepEqual([grant.accessToken, grant.refreshToken], ['at-2', 'rt-2']);
  });

  test('a refresh token used twice is a dead grant', async () => {
    const outbound = endpoint(400, { error: 'invalid_grant' });
    await assert.rejects(
      refreshTokens(outbound, gongRequest(), { refreshToken: 'rt-0', redirectUri }),
      (error) => error instanceof TokenRefusal && error.isDeadGrant,
    );
  });
});
