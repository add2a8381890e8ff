import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connector, get, oauth2 } from '@inlay/connectors/kit';
import { exchangeCode, refreshTokens, type TokenGrant, TokenRefusal } from '#connections/token-endpoint';
import { systemClock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { createOutbound } from '#outbound/index';
import * as oauth from 'oauth4webapi';

/** What the token endpoint received. */
interface Seen {
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

type Quirks = Omit<Partial<Parameters<typeof oauth2>[0]>, 'authorizationUrl' | 'tokenUrl'>;

/** A provider with one token endpoint that always answers the same. */
async function provider(
  t: TestContext,
  quirks: Quirks,
  answer: { status?: number; body: string; contentType?: string },
) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({
        authorization: request.headers.authorization,
        contentType: request.headers['content-type'],
        body: Buffer.concat(chunks).toString(),
      });
      response.writeHead(answer.status ?? 200, { 'content-type': answer.contentType ?? 'application/json' });
      response.end(answer.body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const outbound = createOutbound({ allow: ['127.0.0.1'], clock: systemClock });
  t.after(async () => {
    await outbound.close();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = oauth2({
    authorizationUrl: `${url}/authorize`,
    tokenUrl: `${url}/token`,
    clientAuth: 'body',
    pkce: 'off',
    refresh: 'may',
    ...quirks,
  });
  const request = {
    connector: connector({
      home: import.meta.url,
      slug: 'quirky',
      name: 'Quirky',
      description: '',
      categories: [],
      apiDocs: '',
      baseUrl: url,
      auth: { oauth2: auth },
      http: { limits: {} },
      check: { request: get('/me'), identifier: () => undefined },
      actions: {},
    }),
    oauth2: auth,
    client: { id: 'id-1', secret: 'se:cr/et' },
    place: { meta: { shop: 'acme' }, vars: {} },
    now: new Date('2026-05-01T00:00:00Z'),
  };
  return {
    seen,
    exchange: (verifier?: string): Promise<TokenGrant> =>
      exchangeCode(outbound, request, {
        callback: oauth.validateAuthResponse(
          { issuer: url },
          { client_id: 'id-1' },
          new URLSearchParams({ code: 'c0de', state: 's' }),
          's',
        ),
        redirectUri: 'http://localhost/cb',
        verifier,
      }),
    refresh: (): Promise<TokenGrant> =>
      refreshTokens(outbound, request, { refreshToken: 'r1', redirectUri: 'http://localhost/cb' }),
  };
}

const plain = '{"access_token":"a","token_type":"Bearer"}';
const form = (seen: readonly Seen[]) => Object.fromEntries(new URLSearchParams(seen[0]?.body));

test('client authentication goes where the provider wants it, and nowhere else', async (t) => {
  const inBody = await provider(t, { clientAuth: 'body' }, { body: plain });
  await inBody.exchange();
  assert.equal(inBody.seen[0]?.authorization, undefined);
  assert.deepEqual(form(inBody.seen), {
    client_id: 'id-1',
    client_secret: 'se:cr/et',
    grant_type: 'authorization_code',
    code: 'c0de',
    redirect_uri: 'http://localhost/cb',
  });

  const basic = await provider(t, { clientAuth: 'basic' }, { body: plain });
  await basic.exchange('v'.repeat(43));
  assert.equal(basic.seen[0]?.authorization, `Basic ${Buffer.from('id-1:se:cr/et').toString('base64')}`);
  assert.equal(form(basic.seen)['client_secret'], undefined);
  assert.equal(form(basic.seen)['code_verifier'], 'v'.repeat(43));

  const none = await provider(t, { clientAuth: 'none', pkce: 'required' }, { body: plain });
  await none.exchange('v'.repeat(43));
  assert.deepEqual([none.seen[0]?.authorization, form(none.seen)['client_secret']], [undefined, undefined]);
});

test('JSON requests, extra and left-out parameters, and templates in them', async (t) => {
  const { seen, exchange } = await provider(
    t,
    { tokenRequest: 'json', tokenParams: { redirect_uri: null, shop: '{shop}.example' } },
    { body: plain },
  );
  await exchange();
  assert.equal(seen[0]?.contentType, 'application/json');
  assert.deepEqual(JSON.parse(seen[0].body), {
    client_id: 'id-1',
    client_secret: 'se:cr/et',
    grant_type: 'authorization_code',
    code: 'c0de',
    shop: 'acme.example',
  });
});

test('refreshing with a type of its own, and the redirect URI again', async (t) => {
  const { seen, refresh } = await provider(
    t,
    { refreshParams: { type: 'refresh', grant_type: null }, redirectUriOnRefresh: true },
    { body: plain },
  );
  await refresh();
  assert.deepEqual(form(seen), {
    client_id: 'id-1',
    client_secret: 'se:cr/et',
    refresh_token: 'r1',
    redirect_uri: 'http://localhost/cb',
    type: 'refresh',
  });
});

test('tokens, expiry and scopes are found wherever the provider puts them', async (t) => {
  const nested = await provider(
    t,
    {
      token: { accessToken: 'authed_user.access_token', scope: 'authed_user.scope', scopeSeparator: ',' },
      keep: ['team.id', 'api_domain'],
    },
    {
      body: '{"ok":true,"authed_user":{"access_token":"xoxp","scope":"a,b"},"team":{"id":"T1"},"api_domain":"https://x"}',
    },
  );
  const slackish = await nested.exchange();
  assert.equal(slackish.accessToken, 'xoxp');
  assert.deepEqual(slackish.scopes, ['a', 'b']);
  assert.deepEqual(slackish.meta, { 'team.id': 'T1', api_domain: 'https://x' });
  assert.equal(slackish.expiresAt, null);

  const absolute = await provider(
    t,
    {
      token: {
        expiresAt: { path: 'access_token_expiration', unit: 'seconds' },
        refreshExpiresIn: 'x_refresh',
      },
    },
    {
      body: '{"access_token":"a","refresh_token":"r","access_token_expiration":1800000000,"x_refresh":"60"}',
    },
  );
  const cloverish = await absolute.exchange();
  assert.equal(cloverish.expiresAt?.getTime(), 1_800_000_000_000);
  assert.equal(cloverish.refreshExpiresAt?.toISOString(), '2026-05-01T00:01:00.000Z');

  const text = await provider(t, {}, { body: '{"access_token":"a","expires_in":"3600"}' });
  assert.equal((await text.exchange()).expiresAt?.toISOString(), '2026-05-01T01:00:00.000Z');

  const assumed = await provider(t, { token: { lifetimeSeconds: 7200 } }, { body: plain });
  assert.equal((await assumed.exchange()).expiresAt?.toISOString(), '2026-05-01T02:00:00.000Z');

  const encoded = await provider(
    t,
    {},
    {
      body: 'access_token=gho_1&scope=repo&token_type=bearer',
      contentType: 'application/x-www-form-urlencoded',
    },
  );
  assert.equal((await encoded.exchange()).accessToken, 'gho_1');
});

test('an id_token that nobody asked for does not stop the exchange', async (t) => {
  const { exchange } = await provider(
    t,
    {},
    { body: '{"access_token":"a","token_type":"Bearer","id_token":"not.a.jwt"}' },
  );
  assert.equal((await exchange()).accessToken, 'a');
});

async function refusalOf(
  work: Promise<unknown>,
): Promise<Pick<TokenRefusal, 'error' | 'description' | 'isDeadGrant'>> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof TokenRefusal, String(error));
    const { error: code, description, isDeadGrant } = error;
    return { error: code, description, isDeadGrant };
  }
  throw new assert.AssertionError({ message: 'was not refused' });
}

test('a refusal is told apart from a success, whatever its status, and a dead grant from other refusals', async (t) => {
  const standard = await provider(
    t,
    {},
    { status: 400, body: '{"error":"invalid_grant","error_description":"revoked"}' },
  );
  assert.deepEqual(await refusalOf(standard.refresh()), {
    error: 'invalid_grant',
    description: 'revoked',
    isDeadGrant: true,
  });
  const client = await provider(t, {}, { status: 401, body: '{"error":"invalid_client"}' });
  assert.equal((await refusalOf(client.refresh())).isDeadGrant, false);
  const githubish = await provider(
    t,
    {},
    { body: '{"error":"bad_verification_code","error_description":"incorrect"}' },
  );
  assert.equal((await refusalOf(githubish.exchange())).error, 'bad_verification_code');
  const slackish = await provider(
    t,
    {
      tokenError: (body) => ((body as { ok: boolean }).ok ? undefined : 'invalid_code'),
      isDeadRefresh: (_status, body) => (body as { error: string }).error === 'token_revoked',
    },
    { body: '{"ok":false,"error":"token_revoked"}' },
  );
  assert.deepEqual(await refusalOf(slackish.refresh()), {
    error: 'token_revoked',
    description: undefined,
    isDeadGrant: true,
  });
});

test('an answer that is no token answer is trouble at the provider, not a refusal', async (t) => {
  for (const answer of [
    { status: 200, body: '<html>maintenance</html>', contentType: 'text/html' },
    { status: 200, body: '{}' },
    { status: 200, body: '' },
    { status: 302, body: '' },
  ]) {
    const { exchange } = await provider(t, {}, answer);
    await assert.rejects(exchange(), (error) => {
      assert.ok(error instanceof AppError && error.code === 'provider_unreachable', String(error));
      return true;
    });
  }
});

test('a client secret does not go to a host that the redirect named', async (t) => {
  const { exchange, seen } = await provider(t, { tokenHosts: ['accounts.zoho.eu'] }, { body: plain });
  await assert.rejects(exchange(), (error) => error instanceof AppError && error.code === 'egress_forbidden');
  assert.equal(seen.length, 0);
});
