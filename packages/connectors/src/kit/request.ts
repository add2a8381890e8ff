/**
 * A request is a value. Connectors describe calls with `get`, `post` and friends; the server's `HttpPort`
 * sends them and adds what no connector handles: base URL, credentials, limits, retries, the SSRF guard.
 */
import { InputError } from '#kit/errors';
import type { Json } from '#kit/json';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';

/**
 * What sending a request twice does: `read` and `repeatable` may be resent freely; `once` only when it is
 * known that the provider never received it.
 */
export type Effect = 'read' | 'repeatable' | 'once';

/** A file on its way to a provider: its bytes, or a URL that the server streams from through its guarded door. */
export type FileValue = { readonly name: string; readonly contentType: string } & (
  { readonly base64: string } | { readonly url: string }
);

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'form'; readonly value: Readonly<Record<string, string>> }
  | { readonly kind: 'multipart'; readonly parts: Readonly<Record<string, string | FileValue>> }
  | { readonly kind: 'text'; readonly value: string; readonly contentType: string };

export interface ApiRequest {
  readonly method: Method;
  /** From the connector's base URL (`/v2/calls`), or an absolute URL on one of its hosts. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Set by the kit when it runs an action; absent means `read` for GET and HEAD, else `once`. */
  readonly effect?: Effect;
}

export interface ApiResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed with the kit's `parseJson` when the provider sent JSON (long ids stay exact), text otherwise, null when empty. */
  readonly body: unknown;
  /** What `Retry-After` asks, where the port has read it (its date form needs a clock). */
  readonly retryAfterMs?: number;
}

/** The one thing the server gives a connector. It answers every status and throws only when nothing answered. */
export interface HttpPort {
  send(request: ApiRequest): Promise<ApiResponse>;
}

/** A query value an author may write; undefined entries are left out, lists are repeated. */
export type QueryInput = Readonly<
  Record<string, string | number | boolean | readonly (string | number)[] | undefined>
>;
export interface RequestOptions {
  readonly query?: QueryInput;
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

function textQuery(query: QueryInput): Record<string, string | readonly string[]> {
  const out: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    out[name] = Array.isArray(value) ? value.map(String) : String(value);
  }
  return out;
}

function textHeaders(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), value]],
    ),
  );
}

function build(method: Method, path: string, body: Body | undefined, options: RequestOptions): ApiRequest {
  const query = textQuery(options.query ?? {});
  const headers = textHeaders(options.headers ?? {});
  return {
    method,
    path,
    ...(Object.keys(query).length > 0 && { query }),
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(body !== undefined && { body }),
  };
}

/** JSON without undefined members, as it will travel: recordings and the wire then agree to the letter. */
function json(value: unknown): Body {
  return { kind: 'json', value: JSON.parse(JSON.stringify(value)) as Json };
}

function isBody(value: unknown): value is Body & { readonly [marked]: true } {
  return typeof value === 'object' && value !== null && marked in value;
}
const marked = Symbol('body');
const mark = <T extends Body>(body: T): T =>
  Object.defineProperty(body, marked, { value: true, enumerable: false });

/** A form-encoded body; undefined entries are left out. */
export function form(value: QueryInput): Body {
  const flat = Object.entries(value).flatMap(([name, v]) => (v === undefined ? [] : [[name, String(v)]]));
  return mark({ kind: 'form', value: Object.fromEntries(flat) as Record<string, string> });
}

/** A `multipart/form-data` body; undefined parts are left out. The server picks the boundary and streams files. */
export function multipart(parts: Readonly<Record<string, string | FileValue | undefined>>): Body {
  const present = Object.entries(parts).filter(
    (part): part is [string, string | FileValue] => part[1] !== undefined,
  );
  return mark({ kind: 'multipart', parts: Object.fromEntries(present) });
}

/** A body sent as it is, for XML, CSV and other text. */
export function text(value: string, contentType: string): Body {
  return mark({ kind: 'text', value, contentType });
}

function bodyOf(value: unknown): Body | undefined {
  if (value === undefined) return undefined;
  return isBody(value) ? value : json(value);
}

/** `GET path?query`. */
export const get = (
  path: string,
  query: QueryInput = {},
  options: Omit<RequestOptions, 'query'> = {},
): ApiRequest => build('GET', path, undefined, { ...options, query });

/** `POST path` with a JSON value, or a body made by `form`, `multipart` or `text`. */
export const post = (path: string, body?: unknown, options: RequestOptions = {}): ApiRequest =>
  build('POST', path, bodyOf(body), options);

/** `PUT path`; body as for `post`. */
export const put = (path: string, body?: unknown, options: RequestOptions = {}): ApiRequest =>
  build('PUT', path, bodyOf(body), options);

/** `PATCH path`; body as for `post`. */
export const patch = (path: string, body?: unknown, options: RequestOptions = {}): ApiRequest =>
  build('PATCH', path, bodyOf(body), options);

/** `DELETE path`; the body is optional, and rare. */
export const del = (path: string, body?: unknown, options: RequestOptions = {}): ApiRequest =>
  build('DELETE', path, bodyOf(body), options);

/**
 * A path with its variables encoded: path`/v2/calls/${id}/media`. An id from a workflow is somebody's input;
 * raw, `../users` would reach another endpoint. "." and ".." are refused because no encoding survives URL parsing.
 *
 * @throws InputError `invalid_parameter` when a variable is empty, "." or "..".
 */
export function path(strings: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return strings.reduce((out, part, i) => {
    if (i === 0) return part;
    const value = String(values[i - 1]);
    if (value === '' || value === '.' || value === '..') {
      const where = strings.join('…');
      throw new InputError('invalid_parameter', 'path', `An id in "${where}" may not be empty, "." or ".."`);
    }
    return out + encodeURIComponent(value) + part;
  }, '');
}
