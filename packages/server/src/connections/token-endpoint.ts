import {
  at,
  type Connector,
  isHostAllowed,
  isRecord,
  type OAuth2,
  type Place,
  urlOf,
} from '@inlay/connectors/kit';
import * as oauth from 'oauth4webapi';
import type { OAuthClient } from '#connections/credential';
import { fillTemplate } from '#connections/fill-template';
import { AppError } from '#domain/errors';
import type { Outbound } from '#outbound/index';

/** Tokens as the provider gave them, in our terms. */
export interface TokenGrant {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresAt: Date | null;
  readonly refreshExpiresAt: Date | null;
  readonly scopes: readonly string[] | null;
  /** Values of the answer that calls will need (`keep`). */
  readonly meta: Readonly<Record<string, string>>;
}

/** The provider refused a token request, in its own words. */
export class TokenRefusal extends Error {
  override readonly name = 'TokenRefusal';
  /** An RFC 6749 §5.2 code where the provider uses them. */
  readonly error: string;
  readonly description: string | undefined;
  readonly status: number;
  /** The grant is dead: nothing but a new authorization helps. */
  readonly isDeadGrant: boolean;

  constructor(refusal: {
    error: string;
    description?: string | undefined;
    status: number;
    isDeadGrant: boolean;
  }) {
    super(`the token endpoint answered ${refusal.error}`);
    this.error = refusal.error;
    this.description = refusal.description;
    this.status = refusal.status;
    this.isDeadGrant = refusal.isDeadGrant;
  }
}

/** One kind of token request: who asks, for what. */
export interface TokenRequest {
  readonly connector: Connector;
  readonly oauth2: OAuth2;
  readonly client: OAuthClient;
  readonly place: Place;
  readonly now: Date;
}

const timeoutMs = 20_000;

/** Exchanges the code of a validated callback. @throws TokenRefusal, AppError when no answer came */
export async function exchangeCode(
  outbound: Outbound,
  request: TokenRequest,
  input: {
    readonly callback: URLSearchParams;
    readonly redirectUri: string;
    readonly verifier: string | undefined;
  },
): Promise<TokenGrant> {
  const { oauth2, place } = request;
  const endpoint = endpointOf(request, urlOf(oauth2.tokenUrl, place), oauth2.tokenParams, outbound);
  const response = await oauth.authorizationCodeGrantRequest(
    endpoint.server,
    endpoint.client,
    endpoint.authenticate,
    input.callback,
    input.redirectUri,
    input.verifier ?? oauth.nopkce,
    endpoint.options,
  );
  return judged(request, endpoint, () =>
    oauth.processAuthorizationCodeResponse(endpoint.server, endpoint.client, response),
  );
}

/** Renews an access token. @throws TokenRefusal, AppError when no answer came */
export async function refreshTokens(
  outbound: Outbound,
  request: TokenRequest,
  input: { readonly refreshToken: string; readonly redirectUri: string },
): Promise<TokenGrant> {
  const { oauth2, place } = request;
  const url = urlOf(oauth2.refreshUrl ?? oauth2.tokenUrl, place);
  const endpoint = endpointOf(request, url, oauth2.refreshParams, outbound);
  const response = await oauth.refreshTokenGrantRequest(
    endpoint.server,
    endpoint.client,
    endpoint.authenticate,
    input.refreshToken,
    {
      ...endpoint.options,
      ...(oauth2.redirectUriOnRefresh && { additionalParameters: { redirect_uri: input.redirectUri } }),
    },
  );
  return judged(request, endpoint, () =>
    oauth.processRefreshTokenResponse(endpoint.server, endpoint.client, response),
  );
}

/** Tells the provider that a token is not needed any more (RFC 7009). */
export async function revokeToken(outbound: Outbound, request: TokenRequest, token: string): Promise<void> {
  const { oauth2, place } = request;
  if (oauth2.revocationUrl === undefined) return;
  const endpoint = endpointOf(request, urlOf(oauth2.revocationUrl, place), {}, outbound);
  const response = await oauth.revocationRequest(
    { ...endpoint.server, revocation_endpoint: endpoint.url.href },
    endpoint.client,
    endpoint.authenticate,
    token,
    endpoint.options,
  );
  await oauth.processRevocationResponse(response);
}

/** What templates of token parameters may name besides meta and vars: Gong wants the client id in the form too. */
function withRequest(place: Place, client: OAuthClient, form: URLSearchParams): Place {
  return {
    meta: place.meta,
    vars: { ...place.vars, client_id: client.id, redirect_uri: form.get('redirect_uri') ?? '' },
  };
}

interface Endpoint {
  readonly url: URL;
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly authenticate: oauth.ClientAuth;
  readonly options: oauth.TokenEndpointRequestOptions;
  /** The provider's answer as it came, for values that the standard does not know. */
  answer: { readonly status: number; readonly body: unknown };
}

/**
 * oauth4webapi makes the request and judges the answer; a provider's oddities are translated on the way, in both
 * directions, so that what it judges is a standard answer.
 */
function endpointOf(
  request: TokenRequest,
  address: string,
  parameters: OAuth2['tokenParams'],
  outbound: Outbound,
): Endpoint {
  const { connector, oauth2, client, place } = request;
  const url = new URL(address);
  if (oauth2.tokenHosts !== undefined && !isHostAllowed(url, oauth2.tokenHosts)) {
    throw new AppError('egress_forbidden', {
      host: url.host,
      reason: `the ${connector.name} client secret may not be sent there`,
    });
  }
  const endpoint: Endpoint = {
    url,
    server: { issuer: url.origin, token_endpoint: url.href },
    client: { client_id: client.id },
    authenticate: authentication(oauth2, client),
    options: {
      // Addresses come from the connector alone, and the door checks them.
      [oauth.allowInsecureRequests]: true,
      async [oauth.customFetch](target, init) {
        const form = init.body instanceof URLSearchParams ? init.body : new URLSearchParams();
        const known = withRequest(place, client, form);
        for (const [name, value] of Object.entries(parameters)) {
          if (value === null) form.delete(name);
          else form.set(name, fillTemplate(value, known));
        }
        const isJson = oauth2.tokenRequest === 'json';
        const answer = await outbound.send({
          method: init.method,
          url: target,
          headers: {
            ...init.headers,
            accept: 'application/json',
            'content-type': isJson ? 'application/json' : 'application/x-www-form-urlencoded',
            ...oauth2.tokenHeaders,
          },
          body: isJson ? JSON.stringify(Object.fromEntries(form)) : form.toString(),
          maxRedirects: 0,
          maxResponseBytes: 1024 * 1024,
          timeoutMs,
          effect: 'once',
          app: connector.name,
        });
        const body = parseAnswer(oauth2, answer.body.toString('utf8'));
        endpoint.answer = { status: answer.status, body };
        return standardAnswer(oauth2, answer.status, body);
      },
    },
    answer: { status: 0, body: undefined },
  };
  return endpoint;
}

function authentication(oauth2: OAuth2, client: OAuthClient): oauth.ClientAuth {
  const secret = client.secret;
  if (oauth2.clientAuth === 'none' || secret === undefined) return oauth.None();
  if (oauth2.clientAuth === 'body') return oauth.ClientSecretPost(secret);
  // RFC 6749 §2.3.1 asks to form-encode id and secret first. Hardly any provider decodes them, and for the letters,
  // digits, "-", "_" and "." that credentials are made of, a decoder reads the raw form as well.
  return (_server, { client_id }, _body, headers) => {
    headers.set('authorization', `Basic ${Buffer.from(`${client_id}:${secret}`, 'utf8').toString('base64')}`);
  };
}

function parseAnswer(oauth2: OAuth2, text: string): unknown {
  if (oauth2.token.format === 'form') return Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Some answer errors, or everything, form-encoded whatever we accept.
    return /^[\w.-]+=/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined;
  }
}

/** The answer as RFC 6749 §5 would have it: tokens at the top, errors with an error status, no id_token. */
function standardAnswer(oauth2: OAuth2, status: number, body: unknown): Response {
  const { token } = oauth2;
  const hidden = oauth2.tokenError?.(body);
  const accessToken = at(body, token.accessToken);
  const error = isRecord(body) && typeof body['error'] === 'string' ? body['error'] : undefined;
  const isRefused =
    status >= 400 || hidden !== undefined || (typeof accessToken !== 'string' && error !== undefined);
  if (isRefused) {
    return json(status >= 400 ? status : 400, {
      error: error ?? hidden ?? 'invalid_request',
      ...(isRecord(body) &&
        typeof body['error_description'] === 'string' && { error_description: body['error_description'] }),
    });
  }
  const expiresIn = Number(at(body, token.expiresIn));
  const refreshToken = at(body, token.refreshToken);
  const scope = at(body, token.scope);
  return json(200, {
    access_token: accessToken,
    token_type: 'bearer',
    ...(Number.isFinite(expiresIn) && expiresIn > 0 && { expires_in: expiresIn }),
    ...(typeof refreshToken === 'string' && refreshToken !== '' && { refresh_token: refreshToken }),
    ...(typeof scope === 'string' && { scope }),
  });
}

function json(status: number, body: object): Response {
  return Response.json(body, { status });
}

async function judged(
  request: TokenRequest,
  endpoint: Endpoint,
  judge: () => Promise<oauth.TokenEndpointResponse>,
): Promise<TokenGrant> {
  const { oauth2, connector } = request;
  let tokens: oauth.TokenEndpointResponse;
  try {
    tokens = await judge();
  } catch (cause) {
    const { status, body } = endpoint.answer;
    if (cause instanceof oauth.ResponseBodyError) {
      throw new TokenRefusal({
        error: cause.error,
        description: cause.error_description,
        status,
        isDeadGrant: cause.error === 'invalid_grant' || oauth2.isDeadRefresh?.(status, body) === true,
      });
    }
    throw new AppError(
      'provider_unreachable',
      {
        app: connector.name,
        reason: `its token endpoint answered ${status} with something that holds no token`,
      },
      { cause },
    );
  }
  return grantOf(request, tokens, endpoint.answer.body);
}

function grantOf(request: TokenRequest, tokens: oauth.TokenEndpointResponse, body: unknown): TokenGrant {
  const { oauth2, now } = request;
  const { token } = oauth2;
  const inSeconds = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
  const lifetime = tokens.expires_in ?? token.lifetimeSeconds;
  const refreshSeconds =
    token.refreshExpiresIn === undefined
      ? oauth2.refreshTokenLifetimeSeconds
      : Number(at(body, token.refreshExpiresIn));
  const absolute = token.expiresAt && absoluteTime(at(body, token.expiresAt.path), token.expiresAt.unit);
  const separator = token.scopeSeparator ?? oauth2.scopes.separator;
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    expiresAt: absolute ?? (lifetime === undefined ? null : inSeconds(lifetime)),
    refreshExpiresAt:
      tokens.refresh_token !== undefined && refreshSeconds !== undefined && Number.isFinite(refreshSeconds)
        ? inSeconds(refreshSeconds)
        : null,
    scopes: tokens.scope === undefined ? null : tokens.scope.split(separator).filter((scope) => scope !== ''),
    meta: Object.fromEntries(
      oauth2.keep.flatMap((path) => {
        const value = at(body, path);
        return typeof value === 'string' || typeof value === 'number' ? [[path, String(value)]] : [];
      }),
    ),
  };
}

function absoluteTime(value: unknown, unit: 'seconds' | 'milliseconds' | 'iso'): Date | undefined {
  const time = unit === 'iso' ? Date.parse(String(value)) : Number(value) * (unit === 'seconds' ? 1000 : 1);
  return Number.isFinite(time) && time > 0 ? new Date(time) : undefined;
}
