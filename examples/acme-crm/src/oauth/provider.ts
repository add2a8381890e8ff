import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Clock } from '../clock.ts';
import type { Faults } from '../faults.ts';
import { newSecret } from '../ids.ts';
import type { Log } from '../log.ts';
import { oauthErrorPage } from '../pages/oauth-error.ts';
import { pageHeaders } from '../pages/layout.ts';
import { findPerson } from '../people.ts';
import { allScopes, isScope } from '../scopes.ts';
import type { Stats } from '../stats.ts';
import { setting, type Store } from '../store.ts';
import { storeAdapter } from './adapter.ts';
import { findClient } from './clients.ts';

const day = 24 * 3600;

/** Where the authorization server is mounted. */
export const oauthPath = '/oauth';

export interface OAuthDeps {
  store: Store;
  clock: Clock;
  faults: Faults;
  stats: Stats;
  log: Log;
  accessTokenTtlSeconds: number;
  /** Whom the browser is signed in as in the CRM itself. */
  signedInPersonId(cookieHeader: string | undefined): string | undefined;
}

/** The authorization server of the CRM: oidc-provider with our accounts, pages and store. */
export function createOAuthProvider(issuer: string, deps: OAuthDeps): Provider {
  const { store, faults } = deps;
  const provider = new Provider(issuer, configuration(deps));

  provider.on('grant.success', (ctx) => deps.stats.token(grantTypeOf(ctx)));
  provider.on('grant.error', (ctx, error) => deps.stats.token(grantTypeOf(ctx), error.error));
  provider.on('server_error', (_ctx, error) =>
    deps.log(`oauth server error: ${error.stack ?? error.message}`),
  );

  provider.use(async (ctx, next) => {
    if (ctx.path !== '/token') return next();
    const fault = faults.takeToken();
    if (fault === undefined) return next();
    await sleep(fault.latencyMs);
    if (fault.status !== undefined) {
      ctx.status = fault.status;
      ctx.body = {
        error: 'temporarily_unavailable',
        error_description: 'Acme CRM has a problem. Try again later.',
      };
    } else {
      await next();
    }
    if (fault.dropResponse) {
      ctx.respond = false;
      ctx.req.socket.destroy();
    }
    return undefined;
  });

  provider.use(async (ctx, next) => {
    if (ctx.path !== '/authorize' || ctx.method !== 'GET') return next();
    const query: Record<string, string | string[] | undefined> = { ...ctx.query };
    // An app that asks for nothing in particular gets what it registered, as most providers do it.
    const client = typeof query['client_id'] === 'string' ? findClient(store, query['client_id']) : undefined;
    query['scope'] ??= client?.scopes.join(' ');
    // Consent is asked every time (see `loadExistingGrant`); saying so keeps `offline_access` in the scope.
    query['prompt'] ??= 'consent';
    ctx.query = withValues(query);
    // oidc-provider finds its mount path by comparing the two.
    Object.assign(ctx.req, { originalUrl: `${oauthPath}${ctx.req.url}` });
    // The sign-in of the CRM is the truth: an OAuth session of somebody else in this browser is dropped.
    const session = await provider.Session.get(ctx);
    const { accountId } = session;
    if (accountId !== undefined && accountId !== deps.signedInPersonId(ctx.req.headers.cookie))
      await session.destroy();
    return next();
  });

  return provider;
}

function configuration(deps: OAuthDeps): Configuration {
  const { store, clock, faults } = deps;
  return {
    adapter: storeAdapter({ store, clock, refuseRefresh: (token) => faults.takeRefusal(token) }),
    jwks: { keys: [JSON.parse(setting(store, 'oauth_signing_key', newSigningKey))] },
    cookies: {
      keys: [setting(store, 'oauth_cookie_key', () => newSecret('cookie'))],
      long: { signed: true, httpOnly: true, sameSite: 'lax' },
      short: { signed: true, httpOnly: true, sameSite: 'lax' },
    },
    routes: { authorization: '/authorize', token: '/token', revocation: '/revoke', jwks: '/jwks' },
    scopes: ['openid', ...allScopes],
    extraClientMetadata: { properties: ['require_pkce'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    responseTypes: ['code'],
    pkce: { required: (_ctx, client) => client['require_pkce'] === true },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      userinfo: { enabled: false },
    },
    extraParams: {
      // oidc-provider drops scopes it does not know; providers that people know refuse them by name.
      async scope(ctx) {
        const asked = ctx.query['scope'];
        const scopes = typeof asked === 'string' ? asked.split(' ') : [];
        const unknown = scopes.find((scope) => scope !== 'openid' && scope !== '' && !isScope(scope));
        if (unknown !== undefined)
          throw new errors.InvalidScope(`Acme CRM has no scope "${unknown}"`, unknown);
      },
    },
    ttl: {
      AccessToken: deps.accessTokenTtlSeconds,
      ClientCredentials: deps.accessTokenTtlSeconds,
      AuthorizationCode: 60,
      RefreshToken: 90 * day,
      Grant: 3650 * day,
      IdToken: 3600,
      Interaction: 3600,
      Session: 7 * day,
    },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // Signing out of the CRM does not disconnect apps.
    expiresWithSession: async () => false,
    // Every authorization is a grant of its own, so that revoking one link leaves the others alone.
    async loadExistingGrant(ctx) {
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
    },
    async findAccount(_ctx, id) {
      const person = findPerson(store, id);
      return (
        person && { accountId: id, claims: async () => ({ sub: id, email: person.email, name: person.name }) }
      );
    },
    interactions: { url: async (_ctx, interaction) => `/interaction/${interaction.uid}` },
    async renderError(ctx, out) {
      ctx.set(pageHeaders());
      ctx.type = 'html';
      ctx.body = oauthErrorPage({ error: out.error, description: out.error_description });
    },
  };
}

function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return JSON.stringify({ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' });
}

function grantTypeOf(ctx: KoaContextWithOIDC): string {
  const grantType = ctx.oidc?.params?.['grant_type'];
  return typeof grantType === 'string' ? grantType : 'unknown';
}

function withValues<T>(query: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, T] => entry[1] !== undefined),
  );
}
