import { z } from 'zod';
import { isForbiddenName, isRecord, parseExactJson } from '#domain/exact-json';
import { isSecretName } from '#domain/secret-name';
import { asText } from '#domain/template';
import type { HttpNodeRequest, HttpNodeResponse } from '#engine/node-services';
import { done, failed, nodeType, type NodeOutcome } from '#engine/nodes/node-type';
import { retryOfStatus } from '#engine/retry-policy';

const pairs = z.array(
  z.looseObject({ key: z.string().optional(), name: z.string().optional(), value: z.unknown() }),
);
/** `{name: value}`, or a list of `{key, value}`; empty values are left out (spec/workflows §10.4). */
const texts = z
  .union([z.record(z.string(), z.unknown()), pairs])
  .nullish()
  .transform((given): [string, string][] => {
    const entries: [string, unknown][] = Array.isArray(given)
      ? given.map(({ key, name, value }) => [key ?? name ?? '', value])
      : Object.entries(given ?? {});
    return entries
      .filter(([name]) => name !== '' && !isForbiddenName(name))
      .map(([name, value]): [string, string] => [name, asText(value)])
      .filter(([, value]) => value !== '');
  });

const settings = z
  .looseObject({
    method: z
      .string()
      .default('GET')
      .transform((method) => method.toUpperCase())
      .pipe(
        z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], { error: 'use GET, POST, PUT, PATCH or DELETE' }),
      ),
    url: z.string().optional(),
    base_url: z.string().optional(),
    path: z.string().optional(),
    query: texts,
    headers: texts,
    body: z.unknown().optional(),
    body_type: z
      .string()
      .default('json')
      .transform((type) => type.toLowerCase().replaceAll(/[^a-z]/g, ''))
      .pipe(
        z.enum(['json', 'html', 'xml', 'text', 'formdata', 'urlencoded'], {
          error: 'use json, html, xml, text, form-data or urlencoded',
        }),
      ),
  })
  .transform((given, ctx) => {
    const written = given.url ?? `${given.base_url ?? ''}${given.path ?? ''}`;
    if (!URL.canParse(written) || !/^https?:/i.test(written)) {
      ctx.addIssue({
        code: 'custom',
        path: ['url'],
        message: `"${written.slice(0, 200)}" is not an http(s) address`,
      });
      return z.NEVER;
    }
    const url = new URL(written);
    for (const [name, value] of given.query) url.searchParams.append(name, value);
    return { method: given.method, url, headers: given.headers, body: given.body, bodyType: given.body_type };
  });

type HttpSettings = z.infer<typeof settings>;

/** A request of the author's own making. It carries no credentials of any app: actions do. */
export const http = nodeType<HttpSettings>({
  type: 'http',
  label: 'HTTP',
  group: 'app',
  help: 'Sends a request to any address on the internet.',
  // RFC 9110 §9.2: GET is safe, PUT and DELETE are idempotent, POST and PATCH are neither.
  effect: ({ method }) =>
    method === 'GET' ? 'read' : method === 'PUT' || method === 'DELETE' ? 'repeatable' : 'once',
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
  },
  settings,
  omitsMissing: true,
  logged: ({ method, url, headers, body, bodyType }) => ({
    method,
    url: shownUrl(url),
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name, isSecretName(name) ? '[REDACTED]' : value]),
    ),
    body: body ?? null,
    body_type: bodyType,
  }),
  async run(given, ctx) {
    const answer = await ctx.services.sendHttp({ ...requestOf(given), signal: ctx.signal });
    return judge(given, answer);
  },
});

const contentTypes = {
  json: 'application/json',
  html: 'text/html; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  urlencoded: 'application/x-www-form-urlencoded',
} as const;

function requestOf({ method, url, headers, body, bodyType }: HttpSettings): Omit<HttpNodeRequest, 'signal'> {
  const named = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  const isEmpty = body === undefined || body === null || body === '';
  if (isEmpty || method === 'GET') return { method, url: url.href, headers: named };
  if (bodyType === 'formdata') {
    // The boundary belongs to the body: a content type from the author would contradict it.
    const { 'content-type': _, ...rest } = named;
    return { method, url: url.href, headers: rest, body: formOf(body) };
  }
  return {
    method,
    url: url.href,
    headers: { 'content-type': contentTypes[bodyType], ...named },
    body: textBody(body, bodyType),
  };
}

function textBody(body: unknown, bodyType: Exclude<HttpSettings['bodyType'], 'formdata'>): string {
  if (bodyType === 'json') return typeof body === 'string' ? body : JSON.stringify(body);
  if (bodyType === 'urlencoded' && isRecord(body)) {
    return new URLSearchParams(fieldsOf(body)).toString();
  }
  return asText(body);
}

function formOf(body: unknown): { form: [string, string][] } {
  return { form: fieldsOf(isRecord(body) ? body : { body }) };
}

function fieldsOf(body: Record<string, unknown>): [string, string][] {
  return Object.entries(body).map(([name, value]): [string, string] => [name, asText(value)]);
}

/** Judges an answer; needs no network. */
function judge({ method, url }: HttpSettings, answer: HttpNodeResponse): NodeOutcome {
  const body = readBody(answer);
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return done({ status, headers, body }, undefined, status);
  return failed({
    message: `${method} ${url.host} answered with status ${status}.`,
    status,
    body,
    retry: retryOfStatus(status),
    ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
  });
}

function readBody({ headers, body }: HttpNodeResponse): unknown {
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
