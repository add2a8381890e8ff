import { isRecord } from '#domain/exact-json';
import type { PageRequest } from '#domain/paging';
import { asText } from '#domain/template';
import type { HttpNodeRequest } from '#engine/node-services';
import type { HttpSettings } from '#engine/nodes/http-settings';

const contentTypes = {
  json: 'application/json',
  html: 'text/html; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  urlencoded: 'application/x-www-form-urlencoded',
} as const;

/** The request of the settings as it is sent. */
export function requestOf(given: HttpSettings): Omit<HttpNodeRequest, 'signal'> {
  const { method, url, body, bodyType, tls } = given;
  const headers = Object.fromEntries(given.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const plain = { method, url: url.href, headers, tls };
  const isEmpty = body === undefined || body === null || body === '';
  if (isEmpty || method === 'GET') return plain;
  if (bodyType === 'formdata') {
    // The boundary belongs to the body: a content type from the author would contradict it.
    const { 'content-type': _, ...rest } = headers;
    return { ...plain, headers: rest, body: { form: fieldsOf(isRecord(body) ? body : { body }) } };
  }
  return {
    ...plain,
    headers: { 'content-type': contentTypes[bodyType], ...headers },
    body: textBody(body, bodyType),
  };
}

/** The settings as they are for one page: its values stand where the author wants them. */
export function atPage(given: HttpSettings, page: PageRequest): HttpSettings {
  const values = Object.entries(page.values);
  const url = new URL(page.url ?? given.url.href);
  if (values.length === 0) return { ...given, url };
  switch (given.pagination?.inject) {
    case 'headers':
      return {
        ...given,
        url,
        headers: [...given.headers.filter(([name]) => !(name in page.values)), ...values],
      };
    case 'body':
      return { ...given, url, body: { ...(isRecord(given.body) ? given.body : {}), ...page.values } };
    case 'none':
      return { ...given, url };
    default:
      for (const [name, value] of values) url.searchParams.set(name, value);
      return { ...given, url };
  }
}

function textBody(body: unknown, bodyType: Exclude<HttpSettings['bodyType'], 'formdata'>): string {
  if (bodyType === 'json') return typeof body === 'string' ? body : JSON.stringify(body);
  if (bodyType === 'urlencoded' && isRecord(body)) {
    return new URLSearchParams(fieldsOf(body)).toString();
  }
  return asText(body);
}

function fieldsOf(body: Record<string, unknown>): [string, string][] {
  return Object.entries(body).map(([name, value]): [string, string] => [name, asText(value)]);
}
