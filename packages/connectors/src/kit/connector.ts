/** The connector: everything the server, the portal and the builder know about one App. */
import type { Action } from '#kit/action';
import type { Keybased, OAuth2 } from '#kit/auth';
import { InputError } from '#kit/errors';
import type { Fields } from '#kit/field';
import { genericActions } from '#kit/generic';
import type { Values } from '#kit/json';
import type { Options } from '#kit/options';
import type { ApiRequest } from '#kit/request';
import type { Trigger } from '#kit/trigger';
import { isHostAllowed, type Place, urlOf, type UrlTemplate } from '#kit/url';

export interface Limits {
  readonly perSecond?: number;
  readonly perMinute?: number;
  readonly perDay?: number;
  /** Who shares the budget: the provider counts by connection (default) or by our OAuth app. */
  readonly per?: 'connection' | 'app';
}

export interface Http {
  readonly limits: Limits;
  /** A status and body that mean "no rows" though they look like an error. Never for 401 or 403. */
  readonly emptyList?: (status: number, body: unknown) => boolean;
  /** A success status with a failure inside. */
  readonly failed?: (status: number, body: unknown) => boolean;
  /** Statuses that mean "the access token is dead": refresh and try once more. Default 401. */
  readonly expiredStatus: readonly number[];
  /** Sent with every API call (`Notion-Version`, a tenant id); values may hold `{variables}`. */
  readonly headers: Values;
}

/** A cheap call that proves a credential works and says whose it is. */
export interface Check {
  readonly request: ApiRequest;
  /** What the portal shows for the connection: an e-mail, a workspace. Undefined shows "NA". */
  readonly identifier: (body: unknown, place: Place) => string | undefined;
  /** Values of the answer to keep as meta, e.g. the account id that webhooks name. */
  readonly keep?: (body: unknown) => Values;
}

export interface Connector {
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly categories: readonly string[];
  /** The provider's API reference. */
  readonly apiDocs: UrlTemplate;
  /** Values an operator supplies because they differ by installation. */
  readonly vars: Fields;
  readonly baseUrl: UrlTemplate;
  /** Host patterns that may receive credentials; empty: the base URL's own host. */
  readonly hosts: readonly string[];
  readonly auth: { readonly oauth2?: OAuth2; readonly keybased?: Keybased };
  readonly http: Http;
  readonly check: Check;
  readonly options: Readonly<Record<string, Options>>;
  /** By id, the two generic ones last. */
  readonly actions: Readonly<Record<string, Action>>;
  readonly triggers: Readonly<Record<string, Trigger>>;
  /** Files beside the connector, for the server to read. */
  readonly files: {
    readonly icon: URL;
    readonly setup: URL;
    readonly webhookSetup: URL;
    readonly recordings: URL;
  };
}

export interface ConnectorSpec extends Omit<
  Connector,
  'files' | 'http' | 'vars' | 'hosts' | 'options' | 'triggers'
> {
  /** `import.meta.url` of the connector's file: its icon, guides and recordings lie beside it. */
  readonly home: string;
  readonly http: Pick<Http, 'limits'> & Partial<Http>;
  readonly vars?: Fields;
  readonly hosts?: readonly string[];
  readonly options?: Readonly<Record<string, Options>>;
  readonly triggers?: Readonly<Record<string, Trigger>>;
}

/** Declares a connector, and adds the HTTP Request and Incremental Sync actions that every App has. */
export function connector({ home, ...spec }: ConnectorSpec): Connector {
  return Object.freeze({
    vars: {},
    hosts: [],
    options: {},
    triggers: {},
    ...spec,
    http: { expiredStatus: [401], headers: {}, ...spec.http },
    actions: { ...spec.actions, ...genericActions },
    files: {
      icon: new URL('./icon.svg', home),
      setup: new URL('./setup.md', home),
      webhookSetup: new URL('./webhook-setup.md', home),
      recordings: new URL('./recordings/', home),
    },
  });
}

/** Where this connection's API lives, without a trailing slash. */
export function baseUrlOf(connector: Connector, place: Place): string {
  return urlOf(connector.baseUrl, place);
}

/** The hosts that may receive this connection's credentials. */
export function allowedHosts(connector: Connector, place: Place): readonly string[] {
  return connector.hosts.length > 0 ? connector.hosts : [new URL(baseUrlOf(connector, place)).host];
}

/**
 * The absolute URL of a request, query included; the one place where paths meet the base URL.
 *
 * @throws InputError `unsafe_url` when it would leave the connector's hosts, or fall back from https to http:
 * credentials go only where the connector said.
 */
export function requestUrl(connector: Connector, request: ApiRequest, place: Place): URL {
  const base = new URL(baseUrlOf(connector, place));
  const url = /^https?:\/\//i.test(request.path)
    ? new URL(request.path)
    : new URL(base.href.replace(/\/+$/, '') + (request.path.startsWith('/') ? '' : '/') + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    for (const one of typeof value === 'string' ? [value] : value) url.searchParams.append(name, one);
  }
  const sameOrigin = url.origin === base.origin;
  const isSafe =
    url.username === '' &&
    url.password === '' &&
    isHostAllowed(url, allowedHosts(connector, place)) &&
    (url.protocol === 'https:' || sameOrigin);
  if (!isSafe) {
    throw new InputError('unsafe_url', 'path', `${connector.name} requests may not go to "${url.origin}"`);
  }
  return url;
}
