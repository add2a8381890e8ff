/** The two actions every App has: a free request with the account's credentials, and a windowed list. */
import { action, type Action } from '#kit/action';
import { InvalidParameter } from '#kit/errors';
import { field } from '#kit/field';
import { type ApiRequest, form, type QueryInput, text } from '#kit/request';

/** Set by the server for every call; a caller's version would be a smuggled credential or a broken message. */
const RESERVED_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
]);

function allowedHeaders(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => {
      if (RESERVED_HEADERS.has(name.toLowerCase())) {
        throw new InvalidParameter('headers', `may not set "${name}": the connection's own is used`);
      }
      return [name.toLowerCase(), value];
    }),
  );
}

const requestFields = {
  path: field.text({
    label: 'Path or URL',
    help: 'From the API base, or a full URL on one of the App’s hosts.',
    placeholder: '/v1/contacts',
  }),
  query: field.map({ label: 'Query', required: false }),
  headers: field.map({ label: 'Headers', required: false }),
};

const httpRequest = action({
  label: 'HTTP Request',
  group: 'Others',
  help: 'Any call to the API, with the account’s credentials.',
  effect: ({ method }) => (method === 'GET' || method === 'HEAD' ? 'read' : 'once'),
  input: {
    method: field.select({
      label: 'Method',
      options: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'],
      default: 'GET',
    }),
    ...requestFields,
    body: field.json({
      label: 'Body',
      required: false,
      shape: 'json-or-text',
      help: 'For POST, PUT, PATCH and DELETE.',
    }),
    bodyType: field.select({ label: 'Body type', options: ['json', 'form', 'text'], default: 'json' }),
  },
  request: ({ method, path, query, headers, body, bodyType }): ApiRequest => ({
    method,
    path,
    ...(query !== undefined && { query }),
    ...(headers !== undefined && { headers: allowedHeaders(headers) }),
    ...(body !== undefined && method !== 'GET' && method !== 'HEAD' && { body: bodyAs(bodyType, body) }),
  }),
});

function bodyAs(type: 'json' | 'form' | 'text', value: unknown): NonNullable<ApiRequest['body']> {
  if (type === 'json') return { kind: 'json', value };
  if (type === 'text') return text(typeof value === 'string' ? value : JSON.stringify(value), 'text/plain');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidParameter('body', 'must be a JSON object for a form');
  }
  return form(value as QueryInput);
}

/** How an API may want a time to be written. */
export const timeFormats = {
  iso: (date: Date) => date.toISOString(),
  unix: (date: Date) => String(Math.floor(date.getTime() / 1000)),
  unix_ms: (date: Date) => String(date.getTime()),
  rfc: (date: Date) => date.toUTCString(), // IMF-fixdate, RFC 9110 §5.6.7
};

const incrementalSync = action({
  label: 'Incremental Sync',
  group: 'Others',
  help: 'Lists what changed since the last run. Write [[from]] and [[to]] where the API wants the times.',
  effect: 'read',
  input: {
    ...requestFields,
    format: field.select({
      label: 'Time format',
      options: [
        { name: 'ISO 8601', value: 'iso' },
        { name: 'Unix seconds', value: 'unix' },
        { name: 'Unix milliseconds', value: 'unix_ms' },
        { name: 'RFC date', value: 'rfc' },
      ],
      default: 'iso',
    }),
    items: field.text({ label: 'Path to the rows', required: false, placeholder: 'data' }),
    cursorPath: field.text({ label: 'Path to the next cursor', required: false }),
    cursorParam: field.text({ label: 'Query parameter of the cursor', required: false }),
    from: field.datetime({
      label: 'From',
      required: false,
      help: 'Where the first window begins; each later one begins where the last ended.',
    }),
    to: field.datetime({
      label: 'To',
      required: false,
      help: 'Filled in by the engine: the start of this run.',
    }),
  },
  async run(input, http) {
    const to = input.to ?? http.now.toISOString();
    const from = input.from ?? new Date(0).toISOString();
    const request = windowedRequest(input, { from, to }, input.format);
    if (input.items === undefined) return { from, to, data: (await http.call(request)).body };
    const pages =
      input.cursorPath !== undefined && input.cursorParam !== undefined
        ? { next: input.cursorPath, sendAs: input.cursorParam }
        : undefined;
    return {
      from,
      to,
      data: await http.list(request, {
        items: input.items,
        limit: MAX_WINDOW_ROWS,
        isWhole: true,
        ...(pages !== undefined && { pages }),
      }),
    };
  },
});

const MAX_WINDOW_ROWS = 10_000;

/** A GET with `[[from]]` and `[[to]]` filled in wherever they stand in path and query. */
export function windowedRequest(
  request: {
    readonly path: string;
    readonly query?: Readonly<Record<string, string>> | undefined;
    readonly headers?: Readonly<Record<string, string>> | undefined;
  },
  window: { readonly from: string; readonly to: string },
  format: keyof typeof timeFormats,
): ApiRequest {
  const fill = (value: string, encode: (text: string) => string = (text) => text): string =>
    value
      .replaceAll('[[from]]', () => encode(timeFormats[format](new Date(window.from))))
      .replaceAll('[[to]]', () => encode(timeFormats[format](new Date(window.to))));
  return {
    method: 'GET',
    path: fill(request.path, encodeURIComponent),
    query: Object.fromEntries(
      Object.entries(request.query ?? {}).map(([name, value]) => [name, fill(value)]),
    ),
    headers: allowedHeaders(request.headers),
  };
}

/** By id on Cobalt's wire. */
export const genericActions: Readonly<Record<'httprequest' | 'incrementalsync', Action>> = {
  httprequest: httpRequest,
  incrementalsync: incrementalSync,
};
