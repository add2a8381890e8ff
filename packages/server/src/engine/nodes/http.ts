import { parseExactJson } from '#domain/exact-json';
import { type PageAnswer, PagesTooLarge, readPages, type Pagination } from '#domain/paging';
import { isSecretName } from '#domain/secret-name';
import type { HttpNodeResponse } from '#engine/node-services';
import { curlCommand } from '#engine/nodes/curl';
import { atPage, requestOf } from '#engine/nodes/http-request';
import { httpSettings, type HttpSettings } from '#engine/nodes/http-settings';
import {
  done,
  failed,
  nodeType,
  type NodeContext,
  type NodeFailure,
  type NodeOutcome,
} from '#engine/nodes/node-type';
import { retryOfStatus } from '#engine/run/retry-policy';

/** A request of the author's own making. It carries no credentials of any app: actions do. */
export const http = nodeType<HttpSettings>({
  type: 'http',
  label: 'HTTP',
  group: 'app',
  help: 'Sends a request to any address on the internet.',
  reference: {
    output:
      '`{status, headers, body}`; JSON is read. With pages: the bodies as one, lists put together. Kept as a file: `body` is `{file_id, file_name, file_size, file_url, expires_at}`.',
    errors:
      'An address that is no http(s) address or lies in a private network; no answer, with the reason (DNS, TLS, time); a status outside 200-299, with the body of the answer; a next page at another host; more than 64 MiB of pages.',
    effect:
      'by the method: GET, and whatever is read in pages, is `read`; PUT and DELETE are `repeatable`; POST and PATCH `once`.',
  },
  // RFC 9110 §9.2: GET is safe, PUT and DELETE are idempotent, POST and PATCH are neither. What is asked for page
  // by page is a question, whatever its method.
  effect: ({ method, pagination }) =>
    method === 'GET' || pagination !== undefined
      ? 'read'
      : method === 'PUT' || method === 'DELETE'
        ? 'repeatable'
        : 'once',
  hasPages: true,
  fields: {
    method: {
      type: 'select',
      label: 'Method',
      required: true,
      default: 'GET',
      options: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((name) => ({ name, value: name })),
    },
    url: { type: 'text', label: 'URL', required: true, placeholder: 'https://api.example.com/things' },
    query: { type: 'map', label: 'Query' },
    headers: { type: 'map', label: 'Headers' },
    body_type: {
      type: 'select',
      label: 'Body type',
      default: 'json',
      options: ['json', 'html', 'xml', 'text', 'form-data', 'urlencoded'].map((name) => ({
        name,
        value: name,
      })),
    },
    body: { type: 'json', label: 'Body' },
    pagination: {
      type: 'json',
      label: 'Pagination',
      help: 'For answers in pages: {"type": "page", ...}; page, offset, cursor, time_range, sql or custom.',
    },
    save_to_file: {
      type: 'boolean',
      label: 'Keep the response as a file',
      help: 'For large answers: the output is a link to the file instead of the content.',
    },
    file_name: { type: 'text', label: 'File name' },
    ttl: { type: 'number', label: 'Life of the file in seconds', help: 'A week when left empty.' },
    infinite_expiry: { type: 'boolean', label: 'Keep the file for ever' },
    mtls: { type: 'boolean', label: 'Mutual TLS' },
    client_certificate: {
      type: 'textarea',
      label: 'Client certificate',
      help: 'PEM. Put it into an encrypted environment variable: {{env.org.CLIENT_CERTIFICATE}}.',
    },
    client_key: {
      type: 'textarea',
      label: 'Client key',
      help: 'PEM, from an encrypted environment variable.',
    },
    client_key_passphrase: { type: 'text', label: 'Passphrase of the client key' },
    trust_store: { type: 'textarea', label: 'Trusted authorities', help: 'PEM, besides the usual ones.' },
  },
  settings: httpSettings,
  omitsMissing: true,
  logged: ({ method, url, headers, body, bodyType, pagination }) => ({
    method,
    url: shownUrl(url),
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name, isSecretName(name) ? '[REDACTED]' : value]),
    ),
    body: body ?? null,
    body_type: bodyType,
    ...(pagination !== undefined && { pagination: pagination.type }),
  }),
  async run(given, ctx) {
    try {
      if (given.file !== undefined) return await saved(given, given.file, ctx);
      if (given.pagination !== undefined) return await allPages(given, given.pagination, ctx);
      const answer = await ask(given, ctx);
      return done(answer, undefined, answer.status);
    } catch (error) {
      if (error instanceof Refused) return failed(error.failure);
      throw error;
    }
  },
});

/** An answer that is no success; it ends the node, also in the middle of its pages. */
class Refused extends Error {
  readonly failure: NodeFailure;

  constructor(failure: NodeFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

async function ask(given: HttpSettings, ctx: NodeContext): Promise<PageAnswer> {
  const request = requestOf(given);
  ctx.trace?.(curlCommand({ ...request, url: shownUrl(given.url) }));
  const answer = await ctx.services.sendHttp({ ...request, signal: ctx.signal });
  return judged(given, answer, readBody(answer));
}

/** Judges an answer; needs no network. @throws Refused */
function judged(
  { method, url }: HttpSettings,
  { status, headers, retryAfterMs }: Omit<HttpNodeResponse, 'body'>,
  body: unknown,
): PageAnswer {
  if (status >= 200 && status < 300) return { status, headers, body };
  throw new Refused({
    message: `${method} ${url.host} answered with status ${status}.`,
    status,
    body,
    retry: retryOfStatus(status),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

async function allPages(given: HttpSettings, paging: Pagination, ctx: NodeContext): Promise<NodeOutcome> {
  try {
    const { last, body, isCut } = await readPages(paging, ctx.begunAt, (page, index) => {
      const at = atPage(given, page);
      if (at.url.origin !== given.url.origin) {
        throw new Refused({
          message: `The answer names "${at.url.origin}" for the next page; pages are read from ${given.url.origin} only.`,
          retry: 'never',
        });
      }
      return ctx.page(index, () => ask(at, ctx));
    });
    if (isCut) {
      ctx.log('warn', `Stopped after ${paging.max_pages} pages ("max_pages"); there may be more.`);
    }
    const { status, headers } = last ?? { status: 204, headers: {} };
    return done({ status, headers, body }, undefined, status);
  } catch (error) {
    if (error instanceof PagesTooLarge) return failed({ message: error.message, retry: 'never' });
    throw error;
  }
}

type FileSettings = NonNullable<HttpSettings['file']>;

/** Streams the answer into the file store: its size is the store's limit, not our memory's. */
async function saved(
  given: HttpSettings,
  { name, ...life }: FileSettings,
  ctx: NodeContext,
): Promise<NodeOutcome> {
  const request = requestOf(given);
  ctx.trace?.(curlCommand({ ...request, url: shownUrl(given.url) }));
  const answer = await ctx.services.openHttp({ ...request, signal: ctx.signal });
  const { status, headers } = answer;
  if (status < 200 || status > 299) judged(given, answer, await beginningOf(answer));
  const file = await ctx.services.files.write(
    ctx.tenant,
    {
      name: name ?? nameOf(given.url),
      contentType: headers['content-type'] ?? 'application/octet-stream',
      linkedAccountId: ctx.linkedAccount.id,
      writeKey: ctx.idempotencyKey,
      ...life,
    },
    answer.body,
  );
  const body = {
    file_id: file.id,
    file_name: file.name,
    file_size: file.size,
    file_url: file.url,
    expires_at: file.expiresAt?.toISOString() ?? null,
  };
  return done({ status, headers, body }, undefined, status);
}

const mostOfRefusal = 64 * 1024;

/** What a refusal says, as far as it is worth reading. */
async function beginningOf({
  headers,
  body,
}: {
  readonly headers: HttpNodeResponse['headers'];
  readonly body: AsyncIterable<Buffer>;
}): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostOfRefusal) break;
  }
  return readBody({ headers, body: Buffer.concat(chunks).subarray(0, mostOfRefusal) });
}

function nameOf(url: URL): string {
  return url.pathname.split('/').at(-1) || 'response';
}

function readBody({ headers, body }: Pick<HttpNodeResponse, 'headers' | 'body'>): unknown {
  const text = body.toString('utf8');
  if (!/\bjson\b/i.test(headers['content-type'] ?? '')) return text;
  try {
    return parseExactJson(text);
  } catch {
    return text; // an upstream that calls something else JSON is shown as it is
  }
}

/** An address as the log shows it: keys in its query are not readable. */
function shownUrl(url: URL): string {
  const shown = new URL(url);
  for (const name of new Set(url.searchParams.keys())) {
    if (isSecretName(name)) shown.searchParams.set(name, '[REDACTED]');
  }
  return shown.href;
}
