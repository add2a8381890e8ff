/** How a provider hands out long lists, as data; `paging.ts` only computes the next request. */
import { at, withAt } from '#kit/json';
import type { ApiRequest, ApiResponse } from '#kit/request';

export type Pages =
  /** The answer holds the next cursor at a path; it goes into the query of a GET and the body of a POST. */
  | { readonly next: string; readonly sendAs: string; readonly in?: 'query' | 'body' }
  /** The answer holds the whole next URL at a path. */
  | { readonly nextUrl: string }
  /** The `Link` header with `rel="next"` (RFC 8288). */
  | { readonly link: 'next' }
  /** Page numbers: stop at the first page shorter than `size`. */
  | { readonly page: string; readonly first?: number; readonly size: number; readonly sizeAs?: string }
  /** Offsets: stop at the first page shorter than `size`. */
  | { readonly offset: string; readonly size: number; readonly sizeAs?: string };

/** The first request of a list: adds page size and start where the provider wants them. */
export function firstPage(request: ApiRequest, pages: Pages | undefined): ApiRequest {
  if (pages === undefined) return request;
  if ('page' in pages || 'offset' in pages) return numbered(request, pages, 0);
  return request;
}

/**
 * The request for the page after `response`, or undefined when the list has ended.
 *
 * `index` is the page just read, from 0; `count` its rows. A cursor equal to the one just sent ends the list:
 * some providers repeat the last cursor for ever.
 */
export function nextPage(
  request: ApiRequest,
  response: ApiResponse,
  pages: Pages | undefined,
  index: number,
  count: number,
): ApiRequest | undefined {
  if (pages === undefined) return undefined;
  if ('next' in pages) return cursorPage(request, response, pages);
  if ('nextUrl' in pages) {
    const url = at(response.body, pages.nextUrl);
    return typeof url === 'string' && url !== '' ? followed(request, url) : undefined;
  }
  if ('link' in pages) {
    const url = nextLink(response.headers['link'] ?? '');
    return url === undefined ? undefined : followed(request, url);
  }
  return count < pages.size ? undefined : numbered(request, pages, index + 1);
}

function cursorPage(
  request: ApiRequest,
  response: ApiResponse,
  pages: Extract<Pages, { readonly next: string }>,
): ApiRequest | undefined {
  const cursor = at(response.body, pages.next);
  if ((typeof cursor !== 'string' && typeof cursor !== 'number') || cursor === '') return undefined;
  const place = pages.in ?? (request.method === 'GET' ? 'query' : 'body');
  if (place === 'query') {
    if (request.query?.[pages.sendAs] === String(cursor)) return undefined;
    return { ...request, query: { ...request.query, [pages.sendAs]: String(cursor) } };
  }
  const body = request.body?.kind === 'json' ? request.body.value : {};
  if (at(body, pages.sendAs) === cursor) return undefined;
  return { ...request, body: { kind: 'json', value: withAt(body, pages.sendAs, cursor) } };
}

/** The next URL already carries its query; keeping ours would double every parameter. */
function followed(request: ApiRequest, url: string): ApiRequest | undefined {
  const { query: _replaced, ...rest } = request;
  return url === request.path ? undefined : { ...rest, path: url };
}

function numbered(
  request: ApiRequest,
  pages: Extract<Pages, { readonly size: number }>,
  index: number,
): ApiRequest {
  const start = 'page' in pages ? (pages.first ?? 1) + index : index * pages.size;
  const name = 'page' in pages ? pages.page : pages.offset;
  const size = pages.sizeAs === undefined ? {} : { [pages.sizeAs]: String(pages.size) };
  return { ...request, query: { ...request.query, ...size, [name]: String(start) } };
}

function nextLink(header: string): string | undefined {
  for (const match of header.matchAll(/<([^>]*)>([^<]*)/g)) {
    if (/;\s*rel="?(?:[^"]*\s)?next(?:\s[^"]*)?"?/i.test(match[2] ?? '')) return match[1];
  }
  return undefined;
}
