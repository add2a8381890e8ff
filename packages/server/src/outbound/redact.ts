/**
 * A URL as logs may show it: origin and path without query, user name or password. Path segments that look like
 * tokens (long, with digits) are cut, since incoming-webhook addresses carry their secret in the path.
 */
export function redactedUrl(url: URL): string {
  const path = url.pathname
    .split('/')
    .map((part) => (part.length > 20 && /\d/.test(part) ? `${part.slice(0, 4)}…` : part))
    .join('/');
  return `${url.origin}${path}${url.search === '' ? '' : '?…'}`;
}
