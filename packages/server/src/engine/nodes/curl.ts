import type { HttpNodeRequest } from '#engine/node-services';

/**
 * A request as a cURL command that can be pasted into a shell. Headers are left out, since credentials stand in
 * them; the content type of a body is written by the option that sends it.
 */
export function curlCommand({ method, url, body, headers }: Omit<HttpNodeRequest, 'signal' | 'tls'>): string {
  return [`curl -X ${method} ${quoted(url)}`, ...bodyOptions(body, headers['content-type'])].join(' ');
}

function bodyOptions(body: HttpNodeRequest['body'], contentType: string | undefined): string[] {
  if (body === undefined) return [];
  if (typeof body !== 'string')
    return body.form.map(([name, value]) => `--form-string ${quoted(`${name}=${value}`)}`);
  if (contentType?.includes('json') === true) return [`--json ${quoted(body)}`];
  if (contentType?.includes('urlencoded') === true) return [`--data ${quoted(body)}`];
  return [`-H ${quoted(`content-type: ${contentType ?? 'text/plain'}`)} --data-raw ${quoted(body)}`];
}

/** In single quotes a POSIX shell takes every character as it is, but for the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
