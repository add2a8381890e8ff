/** One hop's request line, headers and body. */
export interface Hop {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly hasBody: boolean;
}

const carried = new Set(['accept', 'accept-language', 'content-type', 'range', 'user-agent']);

/**
 * The request that a redirect asks for, or undefined when the answer is no redirect that can be followed.
 *
 * 303 always, and 301/302 of a POST, become GET without a body (Fetch standard, HTTP-redirect fetch §12). To
 * another origin only plain headers travel: an API key in a header of its own is as secret as `authorization`.
 */
export function redirectedTo(hop: Hop, status: number, location: string | undefined): Hop | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  if (!URL.canParse(location, hop.url.href)) return undefined;
  const url = new URL(location, hop.url);
  url.hash = '';
  const becomesGet =
    (status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD') ||
    ((status === 301 || status === 302) && hop.method === 'POST');
  const isSameOrigin = url.origin === hop.url.origin;
  const headers = Object.fromEntries(
    Object.entries(hop.headers).filter(
      ([name]) => (isSameOrigin || carried.has(name)) && !(becomesGet && name.startsWith('content-')),
    ),
  );
  return {
    method: becomesGet ? 'GET' : hop.method,
    url,
    headers,
    hasBody: hop.hasBody && !becomesGet,
  };
}
