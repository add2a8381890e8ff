/**
 * URLs with variables (`https://{shop}.myshopify.com/admin`), filled in safely.
 *
 * A variable is often typed by the end customer. Pasted raw, a "shop" of `evil.example/#` would move the token
 * endpoint, and with it the client secret, to another host. So where a variable stands decides what it may be.
 */
import { InputError } from '#kit/errors';
import type { Values } from '#kit/json';

/** Where values come from: what the connection holds, and what the operator set for this installation. */
export interface Place {
  /** Fields filled in before connecting, callback and token fields kept, results of the check. */
  readonly meta: Values;
  /** The connector's `vars`, supplied by the operator or the app settings. */
  readonly vars: Values;
}

/** A URL with `{variables}` looked up in meta, then vars; or a function where that is not enough. */
export type UrlTemplate = string | ((meta: Values, vars: Values) => string);

const WHOLE_ORIGIN = /^\{[^}]+\}/;
const HOST_VALUE = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;

/**
 * The URL of a template, without a trailing slash.
 *
 * A variable that opens the template must be an http(s) origin, with a path if need be; one inside the host must
 * be host labels; one in the path or query is percent-encoded.
 *
 * @throws InputError `missing_variable` when a variable has no value, `unsafe_url` when its value does not fit.
 */
export function urlOf(template: UrlTemplate, place: Place): string {
  const raw = typeof template === 'function' ? template(place.meta, place.vars) : fill(template, place);
  let url: URL;
  try {
    url = new URL(raw);
  } catch {
    throw new InputError('unsafe_url', 'url', 'The address is not an absolute URL');
  }
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '') {
    throw new InputError('unsafe_url', 'url', 'The address must be http(s), without a user name or password');
  }
  return raw.replace(/\/+$/, '');
}

function fill(template: string, place: Place): string {
  const hostEnd = WHOLE_ORIGIN.test(template) ? 0 : template.indexOf('/', template.indexOf('://') + 3);
  return template.replace(/\{([^}]+)\}/g, (_whole, name: string, offset: number) => {
    const value = lookUp(name, place);
    if (offset === 0) return value.replace(/\/+$/, '');
    if (hostEnd < 0 || offset < hostEnd) {
      if (!HOST_VALUE.test(value)) {
        throw new InputError('unsafe_url', name, `"${name}" may hold letters, digits, dots and hyphens only`);
      }
      return value;
    }
    return encodeURIComponent(value);
  });
}

function lookUp(name: string, place: Place): string {
  for (const values of [place.meta, place.vars]) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined && value !== '') return value;
  }
  throw new InputError('missing_variable', name, `"${name}" has no value`);
}

/**
 * True when a URL's host fits one of the patterns: `api.example.com`, `*.example.com` (any depth, not the bare
 * domain), `127.0.0.1:4400` (with a port: that port only; without: the scheme's own).
 */
export function isHostAllowed(url: URL, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    if (wanted.startsWith('*.')) return url.port === '' && url.hostname.endsWith(wanted.slice(1));
    return url.host === wanted;
  });
}
