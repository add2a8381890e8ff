import { type ApiRequest, InputError, InvalidParameter, MissingParameter } from '@inlay/connectors/kit';
import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import type { PageRequest, Pagination } from '#domain/paging';
import { asText, compileTemplate, render } from '#domain/template';
import {
  type CustomActionDefinition,
  pathField,
  reservedHeaders,
} from '#connections/custom-actions/definition';

/** The request of a custom action as its script may change it, before it is an `ApiRequest`. Pure functions. */
export interface DraftRequest {
  readonly method: ApiRequest['method'];
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

type Values = Readonly<Record<string, unknown>>;

/** Fills the fields in. @throws InputError for a path that lacks a value or would lead elsewhere */
export function draftRequest(definition: CustomActionDefinition, input: Values): DraftRequest {
  const body = filled(definition.body, input);
  return {
    method: definition.method,
    path: `${definition.base_url?.replace(/\/+$/, '') ?? ''}${filledPath(definition.path, input)}`,
    query: texts(definition.query, input),
    headers: texts(definition.headers, input),
    ...(body !== undefined && { body }),
  };
}

function filledPath(template: string, input: Values): string {
  const path = template.replace(pathField, (_whole, double?: string, single?: string) => {
    const name = double ?? single ?? '';
    const value = asText(Object.hasOwn(input, name) ? input[name] : undefined);
    if (value === '') throw new MissingParameter(name);
    // No encoding survives URL parsing here: they would climb to another endpoint.
    if (value === '.' || value === '..') throw new InvalidParameter(name, 'may not be "." or ".."');
    return encodeURIComponent(value);
  });
  return path === '' || path.startsWith('/') || /^https?:/i.test(path) ? path : `/${path}`;
}

function filled(value: unknown, input: Values): unknown {
  return render(compileTemplate(value), { values: input, node: () => undefined }, { missing: 'omit' });
}

/** Those that are empty are left out. */
function texts(given: Readonly<Record<string, string>>, input: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given)
      .map(([name, value]) => [name, asText(filled(value, input))] as const)
      .filter(([, value]) => value !== ''),
  );
}

const scripted = z
  .object({
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    path: z.string(),
    query: z.record(z.string(), z.coerce.string()),
    headers: z.record(z.string(), z.coerce.string()),
    body: z.unknown(),
  })
  .partial();

/** What a script made of the request: the parts that it returns take the place of those that were. */
export function scriptedRequest(before: DraftRequest, output: unknown): DraftRequest {
  if (output === null || output === undefined) return before;
  const returned = isRecord(output) && isRecord(output['request']) ? output['request'] : output;
  const read = scripted.safeParse(returned);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new InputError(
      'invalid_parameter',
      'pre_request_script',
      `The pre-request script must return the request: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    );
  }
  const given = Object.fromEntries(Object.entries(read.data).filter(([, value]) => value !== undefined));
  return { ...before, ...given };
}

/** The request as it is sent. @throws InvalidParameter for a header that only the server sets, whoever wrote it */
export function apiRequest(draft: DraftRequest, bodyType: CustomActionDefinition['body_type']): ApiRequest {
  const { method, path, query, headers, body } = draft;
  const isEmpty = body === undefined || body === null || body === '' || method === 'GET';
  const reserved = Object.keys(headers).find((name) => reservedHeaders.has(name.toLowerCase()));
  if (reserved !== undefined) {
    throw new InvalidParameter(
      'headers',
      `may not set "${reserved}": the credential is that of the connection`,
    );
  }
  return {
    method,
    path,
    query,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    ...(!isEmpty && { body: bodyAs(body, bodyType) }),
  };
}

/** A value as a body of the wanted type. @throws InvalidParameter */
export function bodyAs(
  value: unknown,
  type: CustomActionDefinition['body_type'],
): NonNullable<ApiRequest['body']> {
  if (type === 'text')
    return { kind: 'text', value: asText(value), contentType: 'text/plain; charset=utf-8' };
  if (type === 'json') {
    return typeof value === 'string'
      ? { kind: 'text', value, contentType: 'application/json' }
      : { kind: 'json', value };
  }
  if (!isRecord(value)) throw new InvalidParameter('body', 'must be an object for a form');
  return {
    kind: 'form',
    value: Object.fromEntries(Object.entries(value).map(([name, part]) => [name, asText(part)])),
  };
}

/** The request for one page: its values stand where the author wants them. */
export function pageOf(draft: DraftRequest, page: PageRequest, { inject }: Pagination): DraftRequest {
  // The address of a page has its query already.
  const at = page.url === undefined ? draft : { ...draft, path: page.url, query: {} };
  if (inject === 'headers') return { ...at, headers: { ...at.headers, ...page.values } };
  if (inject === 'body') return { ...at, body: { ...(isRecord(at.body) ? at.body : {}), ...page.values } };
  return inject === 'none' ? at : { ...at, query: { ...at.query, ...page.values } };
}
