/** Each provider here breaks an expectation of OAuth clients; all must be sayable as data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oauth2, type OAuth2 } from '#kit/auth';
import { field } from '#kit/field';
import { urlOf } from '#kit/url';

const usual = {
  authorizationUrl: 'https://a.example/authorize',
  tokenUrl: 'https://a.example/token',
  clientAuth: 'body',
  pkce: 'off',
  refresh: 'none',
} as const;

const slack = oauth2({
  ...usual,
  scopes: {
    required: { 'users:read': 'Users' },
    optional: { 'chat:write': 'Write' },
    separator: ',',
    second: { parameter: 'user_scope', optional: { 'search:read': 'Search' }, separator: ',' },
  },
  token: { accessToken: 'authed_user.access_token', scopeSeparator: ',' },
  tokenError: (body) => ((body as { ok: boolean }).ok ? undefined : (body as { error: string }).error),
});

const shopify = oauth2({
  ...usual,
  before: { shop: field.text({ label: 'Shop' }) },
  authorizationUrl: 'https://{shop}.myshopify.com/admin/oauth/authorize',
  tokenUrl: 'https://{shop}.myshopify.com/admin/oauth/access_token',
  verifyCallback: (query, secret) => query['hmac'] === secret,
  place: (token) => ({ headers: { 'x-shopify-access-token': token } }),
  startsAtProvider: true,
});

const declared: Readonly<Record<string, OAuth2>> = {
  slack,
  shopify,
  zoho: oauth2({
    ...usual,
    tokenUrl: '{accounts-server}/oauth/v2/token',
    tokenHosts: ['accounts.zoho.com', 'accounts.zoho.eu'],
    keepFromCallback: ['accounts-server', 'location'],
    keep: ['api_domain'],
    authorizeParams: { access_type: 'offline', prompt: 'consent' },
    refresh: 'never',
  }),
  basecamp: oauth2({
    ...usual,
    scopes: { parameter: null },
    authorizeParams: { type: 'web_server', response_type: null },
    tokenParams: { type: 'web_server', grant_type: null },
    refreshParams: { type: 'refresh', grant_type: null },
    after: {
      request: () => ({ method: 'GET', path: 'https://launchpad.37signals.com/authorization.json' }),
      keep: (body) => ({ account: String((body as { id: number }).id) }),
    },
  }),
  clover: oauth2({
    ...usual,
    tokenRequest: 'json',
    refreshUrl: 'https://api.clover.com/oauth/v2/refresh',
    refresh: 'always',
    keepFromCallback: ['merchant_id'],
    token: { expiresAt: { path: 'access_token_expiration', unit: 'seconds' } },
  }),
  github: oauth2({ ...usual, tokenHeaders: { accept: 'application/json' }, token: { format: 'form' } }),
  quickbooks: oauth2({
    ...usual,
    clientAuth: 'basic',
    keepFromCallback: ['realmId'],
    token: { refreshExpiresIn: 'x_refresh_token_expires_in' },
    refresh: 'may',
  }),
  facebook: oauth2({
    ...usual,
    longLived: {
      url: 'https://graph.facebook.com/oauth/access_token',
      params: { grant_type: 'fb_exchange_token' },
      tokenParameter: 'fb_exchange_token',
    },
  }),
  airtable: oauth2({ ...usual, clientAuth: 'none', pkce: 'required', refresh: 'always' }),
};

test('a tenant typed by a customer fills the host and nothing else', () => {
  const at = (shop: string) => urlOf(shopify.tokenUrl, { meta: { shop }, vars: {} });
  assert.equal(at('my-shop'), 'https://my-shop.myshopify.com/admin/oauth/access_token');
  assert.throws(() => at('evil.example/'), { code: 'unsafe_url' });
});

test('what a declaration leaves out is RFC 6749', () => {
  const { token, scopes, tokenRequest, grant } = declared['airtable'] ?? slack;
  assert.deepEqual(
    { tokenRequest, grant, separator: scopes.separator, parameter: scopes.parameter, ...token },
    {
      tokenRequest: 'form',
      grant: 'authorization_code',
      separator: ' ',
      parameter: 'scope',
      accessToken: 'access_token',
      refreshToken: 'refresh_token',
      expiresIn: 'expires_in',
      scope: 'scope',
      format: 'json',
    },
  );
});
