import { createHash } from 'node:crypto';
import {
  type Connector,
  checkConnection,
  type OAuth2,
  parseInput,
  type Place,
  ProviderError,
  urlOf,
  type Values,
} from '@inlay/connectors/kit';
import * as oauth from 'oauth4webapi';
import { callbackUrl, currentOAuthClient, enabledConnector } from '#connections/apps';
import type { OAuthClient, OAuthCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { fillTemplate } from '#connections/fill-template';
import { inputProblem } from '#connections/input-problem';
import { placementOf, providerHttp } from '#connections/provider-http';
import { storeConnection } from '#connections/store-connection';
import { textValues } from '#connections/text-values';
import { connectBudgetKey } from '#connections/try-and-store';
import { exchangeCode, type TokenGrant, TokenRefusal } from '#connections/token-endpoint';
import type { AppSettingRow } from '#db/app-setting';
import { findAppSetting } from '#db/app-setting';
import { insertConnectionLog } from '#db/connection';
import { findLinkedAccountById } from '#db/linked-account';
import { claimOAuthState, deleteOAuthStatesBefore, insertOAuthState } from '#db/oauth-state';
import { findOrganization } from '#db/organization';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import { asText } from '#domain/template';
import type { Tenant } from '#domain/tenant';
import { sealContext } from '#vault/index';

const stateLifeMs = 15 * 60_000;
const dayMs = 86_400_000;

/** What a flow remembers between the two redirects; sealed in its row. */
interface Flow {
  readonly verifier?: string;
  readonly redirectUri: string;
  readonly client: OAuthClient;
  readonly scopes: readonly string[];
  readonly meta: Values;
}

/**
 * Begins an authorization and answers where to send the account's browser.
 *
 * @param input.params - values of the connector's `before` fields (shop, data centre)
 * @param input.returnTo - a page of ours to go back to afterwards
 * @throws AppError `app_not_found`, `auth_type_not_supported`, `app_not_configured`, `action_parameter_missing`,
 * `invalid_request`
 */
export async function startOAuth(
  deps: ConnectionDeps,
  input: {
    readonly tenant: Tenant;
    readonly linkedAccount: LinkedAccountRef;
    readonly slug: string;
    readonly params: Readonly<Record<string, unknown>>;
    readonly returnTo?: string | undefined;
  },
): Promise<{ authUrl: string }> {
  const { tenant, linkedAccount, slug } = input;
  const { connector, setting } = await enabledConnector(deps, tenant, slug);
  const { oauth2 } = connector.auth;
  if (oauth2?.grant !== 'authorization_code') {
    throw new AppError('auth_type_not_supported', {
      app: connector.name,
      authType: 'oauth2',
      supported: 'keybased',
    });
  }
  const client = currentOAuthClient(deps, tenant, connector, setting);
  const returnTo = input.returnTo === undefined ? null : ownPage(deps.config.publicUrl, input.returnTo);
  try {
    const meta = textValues(parseInput(oauth2.before, input.params));
    const place: Place = { meta, vars: setting.variables };
    const state = oauth.generateRandomState();
    const verifier = oauth2.pkce === 'off' ? undefined : oauth.generateRandomCodeVerifier();
    const scopes = requestedScopes(oauth2, setting);
    const flow: Flow = {
      ...(verifier !== undefined && { verifier }),
      redirectUri: callbackUrl(deps.config, slug),
      client,
      scopes: scopes.all,
      meta,
    };
    const authUrl = new URL(urlOf(oauth2.authorizationUrl, place));
    const parameters: Record<string, string | undefined> = {
      response_type: 'code',
      client_id: client.id,
      redirect_uri: flow.redirectUri,
      state,
      ...(verifier !== undefined && {
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
      ...scopes.parameters,
    };
    for (const [name, value] of Object.entries(oauth2.authorizeParams)) {
      parameters[name] = value === null ? undefined : fillTemplate(value, place);
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) authUrl.searchParams.set(name, value);
    }
    const stateHash = hashState(state);
    const now = deps.clock.now();
    await insertOAuthState(deps.db, tenant, {
      stateHash,
      linkedAccountId: linkedAccount.id,
      slug,
      flowSealed: deps.vault.sealJson(flow, flowContext(stateHash)),
      returnTo,
      expiresAt: new Date(now.getTime() + stateLifeMs),
      now,
    });
    await deleteOAuthStatesBefore(deps.db, new Date(now.getTime() - dayMs));
    return { authUrl: authUrl.href };
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

/** How an authorization ended, for the page that the browser lands on. */
export type CallbackOutcome =
  | {
      readonly kind: 'connected';
      readonly app: string;
      readonly identifier: string | undefined;
      /** Who was behind the connection before, when it is somebody else now. */
      readonly replacedIdentifier: string | undefined;
      /** Whose product got access, and for which customer of it: what a person checks who was sent here. */
      readonly organization: string;
      readonly account: string;
      readonly returnTo: string | undefined;
      /** Required scopes that the person did not grant. */
      readonly missingScopes: readonly string[];
    }
  | {
      readonly kind: 'failed';
      /** Absent when the state is unknown: then nothing of the request is believed. */
      readonly app: string | undefined;
      /** One sentence for the person connecting. */
      readonly message: string;
      /** The provider's own words, to be escaped. */
      readonly providerError: string | undefined;
      /** What the SaaS company's developer should compare. */
      readonly hint: CallbackHint | undefined;
      readonly returnTo: string | undefined;
    };

export type CallbackHint =
  | { readonly kind: 'scopes'; readonly requested: readonly string[] }
  | { readonly kind: 'client'; readonly redirectUri: string };

/**
 * Ends an authorization with what the provider's redirect brought. The state is checked before anything else is
 * looked at, and used up by it. Never throws for what a browser or a provider sent.
 */
export async function finishOAuth(
  deps: ConnectionDeps,
  input: { readonly slug: string; readonly query: URLSearchParams },
): Promise<CallbackOutcome> {
  const { slug, query } = input;
  const state = query.get('state') ?? '';
  const stateHash = hashState(state);
  const claimed =
    state === '' ? undefined : await claimOAuthState(deps.db, stateHash, slug, deps.clock.now());
  const connector = deps.connectors.get(slug);
  if (claimed === undefined || connector?.auth.oauth2 === undefined) {
    return {
      kind: 'failed',
      app: undefined,
      message: new AppError('oauth_state_invalid', undefined).message,
      providerError: undefined,
      hint: undefined,
      returnTo: undefined,
    };
  }
  const flow = deps.vault.openJson(claimed.flowSealed, flowContext(stateHash)) as Flow;
  const returnTo = claimed.returnTo ?? undefined;
  const setting = await findAppSetting(deps.db, claimed.tenant, slug);
  const place: Place = { meta: flow.meta, vars: setting?.variables ?? {} };
  try {
    const completed = await complete(deps, {
      connector,
      oauth2: connector.auth.oauth2,
      tenant: claimed.tenant,
      linkedAccountId: claimed.linkedAccountId,
      flow,
      place,
      query,
      state,
    });
    const [organization, account] = await Promise.all([
      findOrganization(deps.db, claimed.tenant.orgId),
      findLinkedAccountById(deps.db, claimed.tenant, claimed.linkedAccountId),
    ]);
    return {
      ...completed,
      kind: 'connected',
      app: connector.name,
      organization: organization?.name ?? '',
      account: account?.name ?? account?.accountId ?? '',
      returnTo,
    };
  } catch (error) {
    const failure = failureOf(error, connector, flow);
    await insertConnectionLog(
      deps.db,
      { org_id: claimed.tenant.orgId, environment: claimed.tenant.environment },
      {
        linkedAccountId: claimed.linkedAccountId,
        slug,
        event: 'failed',
        authType: 'oauth2',
        detail: { message: failure.message, ...failure.detail },
        now: deps.clock.now(),
      },
    );
    deps.log.warn({ err: error, slug }, 'an authorization failed');
    return { ...failure, kind: 'failed', app: connector.name, returnTo };
  }
}

interface Completion {
  readonly connector: Connector;
  readonly oauth2: OAuth2;
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly flow: Flow;
  readonly place: Place;
  readonly query: URLSearchParams;
  readonly state: string;
}

async function complete(
  deps: ConnectionDeps,
  completion: Completion,
): Promise<{
  identifier: string | undefined;
  replacedIdentifier: string | undefined;
  missingScopes: readonly string[];
}> {
  const { connector, oauth2, flow, query, tenant } = completion;
  const callback = validated(completion);
  const now = deps.clock.now();
  const fromCallback = Object.fromEntries(
    oauth2.keepFromCallback.flatMap((name) => {
      const value = query.get(name);
      return value === null ? [] : [[name, value.slice(0, 2_000)]];
    }),
  );
  const vars = completion.place.vars;
  let meta: Values = { ...flow.meta, ...fromCallback };
  const request = { connector, oauth2, client: flow.client, place: { meta, vars }, now };
  const grant = await exchangeCode(deps.outbound, request, {
    callback,
    redirectUri: flow.redirectUri,
    verifier: flow.verifier,
  });
  meta = { ...meta, ...grant.meta };
  const credential = credentialOf(grant, flow, now);
  const httpFor = (here: Values) =>
    providerHttp(
      deps.outbound,
      {
        connector,
        place: { meta: here, vars },
        budgetKey: connectBudgetKey(completion.linkedAccountId, connector.slug),
      },
      placementOf(connector, credential, { meta: here, vars }),
    );
  if (oauth2.after !== undefined) {
    const response = await httpFor(meta).send(oauth2.after.request(meta, vars));
    if (response.status > 299) throw new ProviderError(response.status, response.body);
    meta = { ...meta, ...oauth2.after.keep(response.body, meta) };
  }
  const checked = await checkConnection(connector, httpFor(meta), { meta, vars });
  const granted = grant.scopes ?? flow.scopes;
  const missingScopes = Object.keys(oauth2.scopes.required).filter((scope) => !granted.includes(scope));
  const { replacedIdentifier } = await storeConnection(deps, {
    tenant,
    linkedAccountId: completion.linkedAccountId,
    slug: connector.slug,
    credential,
    accessExpiresAt: grant.expiresAt,
    refreshExpiresAt: grant.refreshExpiresAt,
    grantedScopes: granted,
    identifier: checked.identifier,
    meta: { ...meta, ...checked.meta },
    ...(missingScopes.length > 0 && { detail: { missing_scopes: missingScopes } }),
  });
  return {
    identifier: checked.identifier,
    replacedIdentifier: replacedIdentifier === undefined ? undefined : asText(replacedIdentifier),
    missingScopes,
  };
}

/** @throws oauth.AuthorizationResponseError with the provider's error, oauth.OperationProcessingError */
function validated({ connector, oauth2, flow, query, state, place }: Completion): URLSearchParams {
  const server: oauth.AuthorizationServer = { issuer: new URL(urlOf(oauth2.authorizationUrl, place)).origin };
  const parameters = new URLSearchParams(query);
  // RFC 9207 tells providers apart that share one redirect URI; ours is a URI for each app, which does the same.
  parameters.delete('iss');
  const callback = oauth.validateAuthResponse(server, { client_id: flow.client.id }, parameters, state);
  const isGenuine = oauth2.verifyCallback?.(Object.fromEntries(query), flow.client.secret ?? '') ?? true;
  if (!isGenuine) {
    throw new AppError('wrong_state', { reason: `${connector.name} did not sign this redirect.` });
  }
  return callback;
}

function credentialOf(grant: TokenGrant, flow: Flow, now: Date): OAuthCredential {
  return {
    kind: 'oauth2',
    accessToken: grant.accessToken,
    ...(grant.refreshToken !== undefined && { refreshToken: grant.refreshToken }),
    issuedAt: now.toISOString(),
    client: flow.client,
    redirectUri: flow.redirectUri,
  };
}

interface Failure {
  readonly message: string;
  readonly providerError: string | undefined;
  readonly hint: CallbackHint | undefined;
  readonly detail: Record<string, unknown>;
}

function failureOf(error: unknown, connector: Connector, flow: Flow): Failure {
  const app = connector.name;
  if (error instanceof oauth.AuthorizationResponseError || error instanceof TokenRefusal) {
    const code = error.error;
    const description = error instanceof TokenRefusal ? error.description : error.error_description;
    return {
      message:
        code === 'access_denied'
          ? 'Access was not allowed. Nothing was stored.'
          : `${app} refused the connection. Nothing was stored.`,
      providerError: cut(description === undefined ? code : `${description} (${code})`),
      hint: hintFor(code, flow),
      detail: { error: cut(code), ...(description !== undefined && { error_description: cut(description) }) },
    };
  }
  if (error instanceof ProviderError) {
    return {
      message: `${app} gave a token but refused the first call with it (status ${error.status}). Nothing was stored.`,
      providerError: undefined,
      hint: error.status === 403 ? { kind: 'scopes', requested: flow.scopes } : undefined,
      detail: { status: error.status },
    };
  }
  const known = inputProblem(error, connector);
  return {
    message:
      known instanceof AppError
        ? known.message
        : `The answer of ${app} could not be used. Nothing was stored; please try again.`,
    providerError: undefined,
    hint: known instanceof AppError ? undefined : { kind: 'client', redirectUri: flow.redirectUri },
    detail: known instanceof AppError ? { code: known.code } : {},
  };
}

function hintFor(code: string, flow: Flow): CallbackHint | undefined {
  if (code === 'access_denied') return undefined;
  return code === 'invalid_scope'
    ? { kind: 'scopes', requested: flow.scopes }
    : { kind: 'client', redirectUri: flow.redirectUri };
}

function cut(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

function requestedScopes(
  oauth2: OAuth2,
  setting: AppSettingRow,
): { all: readonly string[]; parameters: Record<string, string> } {
  const { scopes } = oauth2;
  const chosen = [...setting.optional_scopes, ...setting.custom_scopes];
  const second = scopes.second;
  const isSecond = (scope: string): boolean => second !== undefined && Object.hasOwn(second.optional, scope);
  const first = [
    ...new Set([...Object.keys(scopes.required), ...chosen.filter((scope) => !isSecond(scope))]),
  ];
  const others = chosen.filter(isSecond);
  return {
    all: [...first, ...others],
    parameters: {
      ...(scopes.parameter !== null &&
        first.length > 0 && { [scopes.parameter]: first.join(scopes.separator) }),
      ...(second !== undefined && others.length > 0 && { [second.parameter]: others.join(second.separator) }),
    },
  };
}

/** Only pages of our own: a return address that anybody could set would be an open redirect. */
function ownPage(publicUrl: string, returnTo: string): string {
  const home = new URL(publicUrl);
  const url = URL.canParse(returnTo, home.href) ? new URL(returnTo, home) : undefined;
  if (url?.origin !== home.origin) {
    throw new AppError('invalid_request', {
      problems: [{ path: 'return_to', message: `must be a page on ${home.origin}` }],
    });
  }
  return url.href;
}

function hashState(state: string): Buffer {
  return createHash('sha256').update(state).digest();
}

function flowContext(stateHash: Buffer): string {
  return sealContext('oauth_state.flow_sealed', stateHash.toString('hex'));
}
