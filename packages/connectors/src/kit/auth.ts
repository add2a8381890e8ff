/**
 * How accounts connect, as data. The server runs the flows; a provider's oddities are declared here and nowhere
 * else, so that a new one is a line in a connector and not a branch in the OAuth client.
 */
import type { Fields, Input } from '#kit/field';
import type { Values } from '#kit/json';
import type { ApiRequest } from '#kit/request';
import type { UrlTemplate } from '#kit/url';

/** What a credential adds to a request. Header names in lower case. */
export interface Placement {
  readonly headers?: Values;
  readonly query?: Values;
}

/** HTTP Basic (RFC 7617), user and password in UTF-8. */
export function basicAuth(user: string, password: string): Placement {
  return {
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}` },
  };
}

/** `Authorization: Bearer …` (RFC 6750); another scheme word by `scheme` (`Zoho-oauthtoken`). */
export function bearer(token: string, scheme = 'Bearer'): Placement {
  return { headers: { authorization: `${scheme} ${token}` } };
}

/** A header of the provider's own. */
export function headerAuth(name: string, value: string): Placement {
  return { headers: { [name.toLowerCase()]: value } };
}

/** A query parameter. Only where the provider takes nothing else: URLs end up in logs. */
export function queryAuth(name: string, value: string): Placement {
  return { query: { [name]: value } };
}

/** Scope strings with what they permit, in the words an administrator sees. */
export type Scopes = Readonly<Record<string, string>>;

export interface OAuthScopes {
  /** Always requested; the settings page shows them locked. */
  readonly required: Scopes;
  /** Offered to the SaaS company. Scopes outside both lists may still be added by hand. */
  readonly optional: Scopes;
  /** How scopes are joined: a space (RFC 6749 §3.3) for most, comma or plus for some. */
  readonly separator: string;
  /** Authorize parameter; null where the provider takes no scopes. */
  readonly parameter: string | null;
  /** A second list under its own parameter (`user_scope`, `optional_scope`). */
  readonly second?: { readonly parameter: string; readonly optional: Scopes; readonly separator: string };
}

/** Where things are in a token answer. Paths are dotted. */
export interface TokenShape {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: string;
  /** An absolute expiry in place of `expires_in`. */
  readonly expiresAt?: { readonly path: string; readonly unit: 'seconds' | 'milliseconds' | 'iso' };
  /** Seconds until the refresh token dies, where the provider says. */
  readonly refreshExpiresIn?: string;
  readonly scope: string;
  /** Joins the scopes of the answer, where it differs from the request's. */
  readonly scopeSeparator?: string;
  /** Assumed when the answer holds no expiry; absent: the token lives until the provider refuses it. */
  readonly lifetimeSeconds?: number;
  /** `form`: the answer is form-encoded whatever we accept. */
  readonly format: 'json' | 'form';
}

/**
 * Extra parameters: a fixed value, a template (`{client_id}`, `{redirect_uri}`, and whatever meta and vars hold, put in
 * raw since the server encodes the request), or null to leave a standard parameter out.
 */
export type Parameters = Readonly<Record<string, string | null>>;

/** A later step that must succeed before the connection counts, e.g. asking which site the token is for. */
export interface AfterAuthorize {
  readonly request: (meta: Values, vars: Values) => ApiRequest;
  /** Values to keep as meta. @throws to refuse the connection; the message is shown to the person connecting. */
  readonly keep: (body: unknown, meta: Values) => Values;
}

export interface OAuth2 {
  readonly kind: 'oauth2';
  /** `client_credentials` is not run by the server yet: use `keybased` with `login`. */
  readonly grant: 'authorization_code' | 'client_credentials';
  readonly authorizationUrl: UrlTemplate;
  readonly tokenUrl: UrlTemplate;
  /** Where refreshing has its own endpoint. */
  readonly refreshUrl?: UrlTemplate;
  /** RFC 7009. */
  readonly revocationUrl?: UrlTemplate;
  /**
   * Hosts that may receive the client secret when the token URL depends on callback values (`accounts.zoho.eu`):
   * a callback's query is written by whoever sends the browser back.
   */
  readonly tokenHosts?: readonly string[];
  /** How the client proves itself at the token endpoint (RFC 6749 §2.3.1); `none` is a public client with PKCE. */
  readonly clientAuth: 'basic' | 'body' | 'none';
  /** RFC 7636. `supported` sends it too; `off` because some providers refuse unknown parameters. */
  readonly pkce: 'required' | 'supported' | 'off';
  readonly tokenRequest: 'form' | 'json';
  readonly scopes: OAuthScopes;
  readonly authorizeParams: Parameters;
  readonly tokenParams: Parameters;
  readonly refreshParams: Parameters;
  readonly tokenHeaders: Values;
  /** True for a provider that wants redirect_uri again on refresh. */
  readonly redirectUriOnRefresh: boolean;
  readonly token: TokenShape;
  /**
   * `always`: each refresh kills the old refresh token, so one refresh at a time, stored before use.
   * `may`: store a new one whenever it comes. `never`: keep the first. `none`: there is no refresh token.
   */
  readonly refresh: 'always' | 'may' | 'never' | 'none';
  /** The refresh token's life, for a warning before it ends; use does not extend it where this is set. */
  readonly refreshTokenLifetimeSeconds?: number;
  /** A dead refresh token in the provider's own words; RFC 6749's `invalid_grant` is always understood. */
  readonly isDeadRefresh?: (status: number, body: unknown) => boolean;
  /** The error text of an answer that fails with status 200; undefined when it is a success. */
  readonly tokenError?: (body: unknown) => string | undefined;
  /** Exchange of the first token for a long-lived one, where there is no refresh token. Not run by the server yet. */
  readonly longLived?: {
    readonly url: UrlTemplate;
    readonly params: Parameters;
    readonly tokenParameter: string;
  };
  /** Filled in before the flow starts (shop, subdomain, data centre); becomes connection meta. */
  readonly before: Fields;
  /** Paths in the token answer kept as meta, under their own path. */
  readonly keep: readonly string[];
  /** Query parameters of the callback kept as meta. */
  readonly keepFromCallback: readonly string[];
  /** The provider signs its redirect (Shopify's hmac); false refuses it. Runs before the code is used. */
  readonly verifyCallback?: (query: Values, clientSecret: string) => boolean;
  readonly after?: AfterAuthorize;
  /** Where the access token goes; the default is `bearer`. */
  readonly place: (accessToken: string, meta: Values) => Placement;
  /** Who must consent. `admin`: tell the person that an administrator is needed. */
  readonly consent: 'user' | 'admin';
  /** Where installing starts on the provider's side instead of ours. Not run by the server yet. */
  readonly startsAtProvider: boolean;
}

type Scoped = Partial<Omit<OAuthScopes, 'second'>> & Pick<OAuthScopes, 'second'>;
type OAuthDefaults =
  | 'grant'
  | 'tokenRequest'
  | 'authorizeParams'
  | 'tokenParams'
  | 'refreshParams'
  | 'tokenHeaders'
  | 'redirectUriOnRefresh'
  | 'before'
  | 'keep'
  | 'keepFromCallback'
  | 'place'
  | 'consent'
  | 'startsAtProvider';

export type OAuth2Spec = Omit<OAuth2, 'kind' | 'scopes' | 'token' | OAuthDefaults> &
  Partial<Pick<OAuth2, OAuthDefaults>> & { readonly scopes?: Scoped; readonly token?: Partial<TokenShape> };

/**
 * Declares OAuth 2.0. Four answers have no default, because guessing them breaks connections months later:
 * `clientAuth`, `pkce`, `refresh` and the two URLs.
 */
export function oauth2(spec: OAuth2Spec): OAuth2 {
  return Object.freeze({
    grant: 'authorization_code',
    tokenRequest: 'form',
    authorizeParams: {},
    tokenParams: {},
    refreshParams: {},
    tokenHeaders: {},
    redirectUriOnRefresh: false,
    before: {},
    keep: [],
    keepFromCallback: [],
    place: (token: string) => bearer(token),
    consent: 'user',
    startsAtProvider: false,
    ...spec,
    kind: 'oauth2',
    scopes: { required: {}, optional: {}, separator: ' ', parameter: 'scope', ...spec.scopes },
    token: {
      accessToken: 'access_token',
      refreshToken: 'refresh_token',
      expiresIn: 'expires_in',
      scope: 'scope',
      format: 'json',
      ...spec.token,
    },
  } as const);
}

/** A login that turns what the customer typed into a short-lived token (client credentials, session tokens). */
export interface Login<C> {
  readonly request: (credential: C, vars: Values) => ApiRequest;
  readonly read: (body: unknown) => {
    readonly token: string;
    readonly expiresInSeconds?: number;
    readonly meta?: Values;
  };
}

export interface Keybased {
  readonly kind: 'keybased';
  readonly fields: Fields;
  /** Fields that are no secrets and become connection meta, e.g. a base URL or a subdomain. */
  readonly keep: readonly string[];
  readonly login?: Login<never>;
  /** `token` is the login's, when there is one. */
  readonly sign: (credential: never, token?: string) => Placement;
}

/** Declares keys typed by the customer; `sign` says where they go. Values arrive validated, typed by `fields`. */
export function keybased<const F extends Fields>(spec: {
  readonly fields: F;
  readonly keep?: readonly (keyof F & string)[];
  readonly login?: Login<Input<F>>;
  readonly sign: (credential: Input<F>, token?: string) => Placement;
}): Keybased {
  return Object.freeze({
    kind: 'keybased',
    fields: spec.fields,
    keep: spec.keep ?? [],
    ...(spec.login !== undefined && { login: spec.login }),
    sign: spec.sign,
  });
}
