import type { FastifyRequest } from 'fastify';
import { AppError } from '#domain/errors';
import { isSecretName } from '#domain/secret-name';

/** The context headers of spec/api §1.4 that may also stand in the query or in the body. */
type ContextName =
  | 'linked_account_id'
  | 'config_id'
  | 'slug'
  | 'sync_execution'
  | 'disable_field_options'
  | 'include-headers'
  | 'instance_tag'
  | 'workflow_id_alias';

/**
 * A context value: header (underscores or hyphens), then query, then body. Empty counts as absent: clients
 * send `slug: ""` when they have none.
 */
export function contextValue(request: FastifyRequest, name: ContextName): string | undefined {
  return (
    headerOrQuery(request, name) ?? text((request.body as Record<string, unknown> | null | undefined)?.[name])
  );
}

/** The same without the body, for use before it is read. */
export function headerOrQuery(request: FastifyRequest, name: ContextName): string | undefined {
  return (
    headerText(request.headers[name]) ??
    headerText(request.headers[name.replaceAll('_', '-')]) ??
    text((request.query as Record<string, unknown> | undefined)?.[name])
  );
}

/**
 * A flag of the wire: the strings "true" and "false" in headers and queries, a boolean in bodies. Absent is false.
 *
 * @throws AppError `invalid_request`: what is neither would be taken for what its sender did not mean
 */
export function contextFlag(request: FastifyRequest, name: ContextName): boolean {
  return readFlag(name, contextValue(request, name));
}

/** The same where the body is a payload, which is nobody's context. */
export function flagOfHeaderOrQuery(request: FastifyRequest, name: ContextName): boolean {
  return readFlag(name, headerOrQuery(request, name));
}

function readFlag(name: ContextName, value: string | undefined): boolean {
  const written = value?.trim().toLowerCase();
  if (written === undefined || written === '' || written === 'false') return false;
  if (written === 'true') return true;
  const message = `is "${value?.slice(0, 40) ?? ''}"; write "true" or "false"`;
  throw new AppError('invalid_request', { problems: [{ path: name, message }] });
}

/** What a workflow, and the log of its execution, may see of the call that started it: no credential of the caller. */
export function harmlessHeaders(request: FastifyRequest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => !isSecretName(name))
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

function text(value: unknown): string | undefined {
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Node reads header bytes as Latin-1; ids in UTF-8 (curl sends them raw) are put right again. */
function headerText(value: string | string[] | undefined): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  if (first === undefined || first === '') return undefined;
  if (!/[\u0080-\u00ff]/.test(first)) return first;
  const decoded = Buffer.from(first, 'latin1').toString('utf8');
  return decoded.includes('\ufffd') ? first : decoded;
}
