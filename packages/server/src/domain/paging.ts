import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isForbiddenName, isRecord } from '#domain/exact-json';
import { optionalNumber } from '#domain/optional-number';
import { asText } from '#domain/template';

/** Answers that come in pages (spec/workflows §12.1): pure functions from one page to the request of the next. */

const kinds = ['none', 'page', 'offset', 'cursor', 'time_range', 'sql', 'custom'] as const;
const places = ['query', 'body', 'headers', 'none'] as const;

/** More pages than any node may ask for; the batches of one execution end there too. */
const mostPages = 10_000;

const name = z.string().trim().min(1).max(200);
const path = z.string().trim().max(500).optional();
const count = (fallback: number) => optionalNumber(0, 1_000_000_000).transform((n) => n ?? fallback);

/** The `pagination` setting. Absent and `none` are one page. */
export const pagination = z
  .looseObject({
    type: z
      .string()
      .transform((text) => text.toLowerCase().replaceAll(/[\s-]+/g, '_'))
      .pipe(z.enum(kinds, { error: `use one of ${kinds.join(', ')}` })),
    inject: z
      .string()
      .default('query')
      .transform((text) => text.toLowerCase())
      .pipe(z.enum(places, { error: `use one of ${places.join(', ')}` }))
      .describe('Where the values of a page go'),
    records_path: path.describe('Where the records stand in a page; the only list in it without one'),
    max_pages: optionalNumber(1, mostPages)
      .transform((n) => n ?? 1_000)
      .describe('1,000 without it'),
    // page
    page_key: name.default('page').describe('Of `page`: the parameter with the number'),
    size_key: name.optional().describe('The parameter with the size; not sent without one'),
    size: count(50).describe('50 without it'),
    start: count(Number.NaN).describe('The first page (1) or offset (0)'),
    end: optionalNumber(0, 1_000_000_000).describe('The last page'),
    total_pages_path: path.describe('Where the answer says how many pages there are'),
    // offset
    limit_key: name.default('limit').describe('Of `offset`'),
    offset_key: name.default('offset').describe('Of `offset`'),
    limit: count(100).describe('100 without it'),
    total_path: path.describe('Where the answer says how many records there are'),
    // cursor
    cursor_key: name.default('cursor').describe('Of `cursor`: the parameter that carries it'),
    cursor_path: path.describe(
      'Where the next cursor, or the address of the next page, stands; `headers.link` reads the header',
    ),
    // time range
    from_key: name.default('from').describe('Of `time_range`'),
    to_key: name.default('to').describe('Of `time_range`'),
    from: z.unknown().optional().describe('The time to begin at'),
    to: z.unknown().optional().describe('The time to end at; now without one'),
    window_s: optionalNumber(1, 10 * 365 * 86_400)
      .transform((n) => n ?? 86_400)
      .describe('Seconds of one page; a day without it'),
    time_format: z.enum(['iso', 'unix', 'unix_ms'], { error: 'use iso, unix or unix_ms' }).default('iso'),
    // SQL-like
    query_key: name.default('q').describe('Of `sql`: the parameter with the query'),
    query: z.string().optional().describe('Without LIMIT and OFFSET, which are added'),
    order: z.string().optional().describe('What follows ORDER BY'),
    batch_size: count(100).describe('100 without it'),
    max_records: optionalNumber(1, 1_000_000_000).describe('Of `sql`'),
    // custom
    next: z
      .record(z.string(), z.string())
      .optional()
      .describe('Of `custom`: what the next request takes of the answer, `{"parameter": "path"}`'),
    has_more_path: path.describe('Of `custom`: where the answer says that there is more'),
  })
  .superRefine((given, ctx) => {
    const need = (field: string, message: string): void => {
      ctx.addIssue({ code: 'custom', path: [field], message });
    };
    if (given.type === 'cursor' && !given.cursor_path)
      need('cursor_path', 'name where the next cursor stands in the answer');
    if (given.type === 'time_range' && timeOf(given.from) === undefined)
      need('from', 'is the time to begin at, such as 2026-01-31T00:00:00Z');
    if (
      given.type === 'time_range' &&
      given.to !== undefined &&
      given.to !== '' &&
      timeOf(given.to) === undefined
    )
      need('to', 'is no time');
    if (given.type === 'sql' && !given.query) need('query', 'write the query without LIMIT and OFFSET');
    if (given.type === 'sql' && given.batch_size === 0) need('batch_size', 'is at least 1');
    if (given.type === 'offset' && given.limit === 0) need('limit', 'is at least 1');
    if (given.type === 'custom' && Object.keys(given.next ?? {}).length === 0)
      need('next', 'name what the next request takes of the answer: {"parameter": "path"}');
  });

export type Pagination = z.infer<typeof pagination>;

/** What is added to the request for one page. */
export interface PageRequest {
  readonly values: Readonly<Record<string, string>>;
  /** The whole address of the page, where the provider gives it. */
  readonly url?: string;
}

/** A page as it was answered. */
export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What all pages of one question may hold together; larger extracts are asked for in several. */
const largestTotal = 64 * 1024 * 1024;

/** The pages hold more than fits into memory. */
export class PagesTooLarge extends Error {
  constructor(pages: number) {
    super(
      `The pages hold more than ${largestTotal / 1024 / 1024} MiB together after page ${pages}. Ask for less at a time, or set "max_pages".`,
    );
  }
}

/**
 * Asks for page after page until the list ends.
 *
 * @returns the last answer, all bodies as one, and whether there may be more
 * @throws PagesTooLarge, and whatever `ask` throws
 */
export async function readPages<Answer extends PageAnswer>(
  paging: Pagination,
  now: Date,
  ask: (page: PageRequest, index: number) => Promise<Answer>,
): Promise<{ readonly last: Answer | undefined; readonly body: unknown; readonly isCut: boolean }> {
  const bodies: unknown[] = [];
  let last: Answer | undefined;
  let lastHash = '';
  let records = 0;
  let total = 0;
  let page = firstPage(paging, now);
  for (let index = 0; page !== undefined; index += 1) {
    last = await ask(page, index);
    const text = JSON.stringify(last.body) ?? 'null';
    const hash = createHash('sha256').update(text).digest('base64');
    // A provider that does not know the parameter answers the same page for ever.
    if (hash === lastHash) break;
    lastHash = hash;
    total += text.length;
    if (total > largestTotal) throw new PagesTooLarge(index + 1);
    bodies.push(last.body);
    records += recordsOf(paging, last.body)?.length ?? 0;
    page = nextPage(paging, index, last, records, now);
  }
  const isCut = page === undefined && bodies.length >= paging.max_pages;
  return { last, body: mergedBody(bodies) ?? null, isCut };
}

/** The first request. `now` ends a time range that has no end of its own; it is the same for all pages and attempts. */
export function firstPage(given: Pagination, now: Date): PageRequest | undefined {
  switch (given.type) {
    case 'page':
      return pageAt(given, startOf(given, 1));
    case 'offset':
      return offsetAt(given, startOf(given, 0));
    case 'sql':
      return sqlAt(given, startOf(given, 0));
    case 'time_range':
      return windowAt(given, timeOf(given.from) ?? 0, endOf(given, now));
    default:
      return { values: {} };
  }
}

/** The request after the page with this number (from 0); undefined: that was the last one. */
export function nextPage(
  given: Pagination,
  index: number,
  answer: PageAnswer,
  recordsSoFar: number,
  now: Date,
): PageRequest | undefined {
  if (index + 1 >= given.max_pages) return undefined;
  const records = recordsOf(given, answer.body);
  switch (given.type) {
    case 'page': {
      const next = startOf(given, 1) + index + 1;
      const last = given.end ?? numberAt(answer.body, given.total_pages_path);
      // Counted from 0, the pages of a total end one earlier.
      const isPast = last !== undefined && next > (given.end ?? last + startOf(given, 1) - 1);
      return isPast || records?.length === 0 ? undefined : pageAt(given, next);
    }
    case 'offset': {
      const next = startOf(given, 0) + (index + 1) * given.limit;
      const total = numberAt(answer.body, given.total_path);
      return (total !== undefined && next >= total) || records?.length === 0
        ? undefined
        : offsetAt(given, next);
    }
    case 'sql': {
      const isFull = given.max_records !== undefined && recordsSoFar >= given.max_records;
      if (isFull || records === undefined || records.length < given.batch_size) return undefined;
      return sqlAt(given, startOf(given, 0) + (index + 1) * given.batch_size, recordsSoFar);
    }
    case 'cursor': {
      const cursor = valueAt(answer, given.cursor_path ?? '');
      if (cursor === undefined || cursor === null || cursor === '' || cursor === false) return undefined;
      const text = asText(cursor);
      return /^https?:\/\//i.test(text)
        ? { values: {}, url: text }
        : { values: { [given.cursor_key]: text } };
    }
    case 'time_range': {
      const from = (timeOf(given.from) ?? 0) + (index + 1) * given.window_s * 1_000;
      return windowAt(given, from, endOf(given, now));
    }
    case 'custom': {
      if (given.has_more_path !== undefined && !isTrue(valueAt(answer, given.has_more_path)))
        return undefined;
      const values = Object.entries(given.next ?? {}).flatMap(([key, at]) => {
        const value = valueAt(answer, at);
        return value === undefined || value === null || value === '' ? [] : [[key, asText(value)] as const];
      });
      return values.length === 0 ? undefined : { values: Object.fromEntries(values) };
    }
    default:
      return undefined;
  }
}

/** The list of records in a page: at its path, the body itself, or the only list in it. */
function recordsOf({ records_path: at }: Pagination, body: unknown): readonly unknown[] | undefined {
  if (at !== undefined && at !== '') {
    const found = descend(body, at);
    return Array.isArray(found) ? found : undefined;
  }
  if (Array.isArray(body)) return body;
  if (!isRecord(body)) return undefined;
  const lists = Object.values(body).filter((value) => Array.isArray(value));
  return lists.length === 1 ? lists[0] : undefined;
}

/** Pages as one answer of the same shape: lists follow one another, everything else is as the last page has it. */
export function mergedBody(bodies: readonly unknown[]): unknown {
  return bodies.reduce((merged, body, index) => (index === 0 ? body : merge(merged, body)), undefined);
}

function merge(earlier: unknown, later: unknown): unknown {
  if (Array.isArray(earlier) && Array.isArray(later))
    return [...(earlier as unknown[]), ...(later as unknown[])];
  if (!isRecord(earlier) || !isRecord(later)) return later;
  const entries = Object.entries(later).map(([key, value]) => [
    key,
    Object.hasOwn(earlier, key) ? merge(earlier[key], value) : value,
  ]);
  return { ...earlier, ...Object.fromEntries(entries) };
}

/** A value at a dotted path of the body; `headers.x` reads a header of the answer, where the body has no such field. */
function valueAt({ body, headers }: PageAnswer, at: string): unknown {
  const inBody = descend(body, at.replace(/^body\./, ''));
  if (inBody !== undefined || !at.startsWith('headers.')) return inBody;
  const header = headers[at.slice('headers.'.length).toLowerCase()];
  // RFC 8288: the address of the next page stands in angle brackets before its relation.
  const link = /<([^>]+)>\s*;[^,]*\brel="?next\b/i.exec(header ?? '')?.[1];
  return at.toLowerCase() === 'headers.link' ? link : header;
}

function descend(value: unknown, at: string): unknown {
  return at
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.')
    .reduce<unknown>((found, step) => {
      if (Array.isArray(found)) return /^\d+$/.test(step) ? found[Number(step)] : undefined;
      return isRecord(found) && Object.hasOwn(found, step) && !isForbiddenName(step)
        ? found[step]
        : undefined;
    }, value);
}

function numberAt(body: unknown, at: string | undefined): number | undefined {
  if (at === undefined || at === '') return undefined;
  const value = descend(body, at);
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

function startOf({ start }: Pagination, fallback: number): number {
  return Number.isNaN(start) ? fallback : start;
}

function pageAt({ page_key, size_key, size }: Pagination, page: number): PageRequest {
  return {
    values: { [page_key]: String(page), ...(size_key !== undefined && { [size_key]: String(size) }) },
  };
}

function offsetAt({ offset_key, limit_key, limit }: Pagination, offset: number): PageRequest {
  return { values: { [offset_key]: String(offset), [limit_key]: String(limit) } };
}

function sqlAt(
  { query_key, query, order, batch_size, max_records }: Pagination,
  offset: number,
  soFar = 0,
): PageRequest {
  const limit = max_records === undefined ? batch_size : Math.min(batch_size, max_records - soFar);
  const ordered = order === undefined || order === '' ? '' : ` ORDER BY ${order}`;
  return { values: { [query_key]: `${query ?? ''}${ordered} LIMIT ${limit} OFFSET ${offset}` } };
}

function windowAt(given: Pagination, from: number, end: number): PageRequest | undefined {
  if (from >= end) return undefined;
  const to = Math.min(from + given.window_s * 1_000, end);
  return {
    values: { [given.from_key]: timeText(given, from), [given.to_key]: timeText(given, to) },
  };
}

function timeText({ time_format: format }: Pagination, at: number): string {
  if (format === 'iso') return new Date(at).toISOString();
  return String(format === 'unix' ? Math.floor(at / 1_000) : at);
}

function endOf({ to }: Pagination, now: Date): number {
  return timeOf(to) ?? now.getTime();
}

/** ISO text, or a Unix time in seconds or milliseconds. */
function timeOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return Math.abs(number) < 1e11 ? number * 1_000 : number;
  const at = Date.parse(asText(value));
  return Number.isNaN(at) ? undefined : at;
}

function isTrue(value: unknown): boolean {
  return value === true || value === 1 || (typeof value === 'string' && /^(true|1|yes)$/i.test(value));
}
