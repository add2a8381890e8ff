import { z } from 'zod';
import { isSecretName } from '#domain/secret-name';
import { asText } from '#domain/template';
import type { AppRequest } from '#engine/node-services';
import { texts } from '#engine/nodes/http-settings';
import { done, failed, nodeType } from '#engine/nodes/node-type';
import { retryOfStatus } from '#engine/run/retry-policy';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const settings = z.looseObject({
  app: z.string().optional(),
  slug: z.string().optional(),
  method: z
    .string()
    .default('GET')
    .transform((method) => method.toUpperCase())
    .pipe(z.enum(methods, { error: `use ${methods.join(', ')}` })),
  path: z
    .string({ error: 'write the path of the endpoint, such as /v2/contacts' })
    .trim()
    .min(1, 'write the path of the endpoint, such as /v2/contacts'),
  query: texts,
  headers: texts,
  body: z.unknown().optional(),
  body_type: z
    .string()
    .default('json')
    .transform((type) => type.toLowerCase())
    .pipe(z.enum(['json', 'text', 'urlencoded'], { error: 'use json, text or urlencoded' })),
});

type AppHttpSettings = z.infer<typeof settings>;

/** A request to any endpoint of a connected app; the account's credential is added where it leaves. */
export const appHttp = nodeType<AppHttpSettings>({
  type: 'app_http',
  label: 'App HTTP request',
  group: 'app',
  help: 'Calls any endpoint of a connected app as the linked account.',
  reference: {
    output: '`{status, headers, body}`; JSON is read.',
    errors:
      "A host that is not one of the app's; an account that is not connected; a status outside 200-299, with the body of the answer.",
    effect: 'by the method: GET is `read`, PUT and DELETE are `repeatable`, POST and PATCH `once`.',
  },
  // As of the HTTP node (RFC 9110 §9.2).
  effect: ({ method }) =>
    method === 'GET' ? 'read' : method === 'PUT' || method === 'DELETE' ? 'repeatable' : 'once',
  fields: {
    app: { type: 'app', label: 'App', required: true },
    method: {
      type: 'select',
      label: 'Method',
      required: true,
      default: 'GET',
      options: methods.map((name) => ({ name, value: name })),
    },
    path: { type: 'text', label: 'Path', required: true, placeholder: '/v2/contacts' },
    query: { type: 'map', label: 'Query' },
    headers: { type: 'map', label: 'Headers' },
    body_type: {
      type: 'select',
      label: 'Body type',
      default: 'json',
      options: ['json', 'text', 'urlencoded'].map((name) => ({ name, value: name })),
    },
    body: { type: 'json', label: 'Body' },
  },
  settings,
  omitsMissing: true,
  logged: ({ app, slug, method, path, query, headers, body }) => ({
    app: slug ?? app,
    method,
    path,
    query: shown(query),
    headers: shown(headers),
    body: body ?? null,
  }),
  async run(given, ctx) {
    const app = given.slug ?? given.app ?? ctx.appSlug ?? '';
    const { tenant, linkedAccount, signal } = ctx;
    const answer = await ctx.services.sendToApp({
      tenant,
      linkedAccountId: linkedAccount.id,
      slug: app,
      request: requestOf(given),
      signal,
    });
    const { status, headers, body, retryAfterMs } = answer;
    if (status >= 200 && status < 300) return done({ status, headers, body }, undefined, status);
    return failed({
      message: `${app} answered ${given.method} ${given.path.slice(0, 200)} with status ${status}.`,
      status,
      body,
      retry: retryOfStatus(status),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  },
});

function requestOf({
  method,
  path,
  query,
  headers,
  body,
  body_type,
}: AppHttpSettings): AppRequest['request'] {
  const lists = Object.groupBy(query, ([name]) => name);
  return {
    method,
    path,
    query: Object.fromEntries(
      Object.entries(lists).map(([name, entries = []]) => [name, entries.map(([, value]) => value)]),
    ),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    effect: method === 'GET' ? 'read' : method === 'PUT' || method === 'DELETE' ? 'repeatable' : 'once',
    ...(body === undefined || body === null || body === '' || method === 'GET'
      ? {}
      : { body: bodyOf(body, body_type) }),
  };
}

function bodyOf(
  body: unknown,
  type: AppHttpSettings['body_type'],
): NonNullable<AppRequest['request']['body']> {
  if (type === 'json') return { kind: 'json', value: body };
  if (type === 'text') return { kind: 'text', value: asText(body), contentType: 'text/plain' };
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : [];
  return {
    kind: 'form',
    value: Object.fromEntries(fields.map(([name, value]) => [name, asText(value)])),
  };
}

function shown(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(pairs.map(([name, value]) => [name, isSecretName(name) ? '[REDACTED]' : value]));
}
