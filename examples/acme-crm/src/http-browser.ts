/** A browser made of HTTP calls for tests: keeps cookies, follows redirects by hand, posts forms. */
export interface HttpBrowser {
  get(url: string): Promise<Page>;
  post(url: string, fields?: Record<string, string> | [string, string][]): Promise<Page>;
}

export interface Page {
  status: number;
  /** Where a redirect leads, absolute; undefined for a page. */
  location: string | undefined;
  text: string;
  url: string;
  headers: Headers;
}

/**
 * @param stopAt - redirects to addresses that start so are returned instead of followed: the app's callback.
 */
export function httpBrowser(stopAt: string): HttpBrowser {
  // Name, path and value; a cookie goes only to paths under its own, which is what the pages rely on.
  const jar = new Map<string, { name: string; path: string; value: string }>();

  function remember(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(name.length + 1);
      const path = attributes.find((part) => part.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const isGone = attributes.some((part) => /^(max-age=0|expires=thu, 01 jan 1970)/i.test(part));
      if (isGone) jar.delete(`${name} ${path}`);
      else jar.set(`${name} ${path}`, { name, path, value });
    }
  }

  async function send(
    url: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> },
  ): Promise<Page> {
    const { pathname } = new URL(url);
    const sent = [...jar.values()].filter(({ path }) => pathname.startsWith(path));
    const cookie = sent.map(({ name, value }) => `${name}=${value}`).join('; ');
    const headers = { accept: 'text/html', ...(cookie !== '' && { cookie }), ...init.headers };
    const response = await fetch(url, { ...init, redirect: 'manual', headers });
    remember(response);
    const text = await response.text();
    const to = response.headers.get('location');
    const location = to === null ? undefined : new URL(to, url).href;
    if (location === undefined || location.startsWith(stopAt)) {
      return { status: response.status, location, text, url, headers: response.headers };
    }
    return send(location, {});
  }

  return {
    get: (url) => send(url, {}),
    post: (url, fields = {}) =>
      send(url, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { origin: new URL(url).origin },
      }),
  };
}
