import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { Clock } from '../clock.ts';
import {
  createRecord,
  deleteRecord,
  findRecord,
  listRecords,
  type RecordKind,
  updateRecord,
} from '../records.ts';
import type { Store } from '../store.ts';
import type { Webhooks } from '../webhooks.ts';
import { requireScope } from './authenticate.ts';
import { type FieldProblem, invalid, notFound, parse } from './errors.ts';
import { once } from './idempotency.ts';
import { cursorOf, listQuery } from './paging.ts';

/** A kind of record with the five usual operations. */
export interface Resource<Fields extends z.ZodObject = z.ZodObject> {
  kind: RecordKind;
  path: '/contacts' | '/deals';
  fields: Fields;
  /** Problems that need the data of the company to be seen, such as a reference to nothing. */
  check(context: { store: Store; companyId: string }, fields: Partial<z.output<Fields>>): FieldProblem[];
}

export interface ResourceDeps {
  store: Store;
  clock: Clock;
  webhooks: Webhooks;
}

/** What a change may contain: any of the fields, and only those that were sent are changed. */
export function changesOf(fields: z.ZodObject): z.ZodObject {
  const shape = Object.entries(fields.shape).map(([name, schema]) => {
    const inner =
      'unwrap' in schema && schema.type === 'default' ? (schema as z.ZodDefault).unwrap() : schema;
    return [name, (inner as z.ZodType).optional()];
  });
  return fields.extend(Object.fromEntries(shape) as z.ZodRawShape);
}

export function resourceRoutes<Fields extends z.ZodObject>(
  app: FastifyInstance,
  deps: ResourceDeps,
  resource: Resource<Fields>,
): void {
  const { store, webhooks } = deps;
  const { kind, path, fields } = resource;
  const changes = changesOf(fields);
  const read = `${kind}s:read` as const;
  const write = `${kind}s:write` as const;

  const check = (companyId: string, value: Record<string, unknown>) => {
    const problems = resource.check({ store, companyId }, value as Partial<z.output<Fields>>);
    if (problems.length > 0) throw invalid(problems);
  };

  app.get(path, async ({ principal, query }) => {
    requireScope(principal, read);
    const { limit, cursor, updated_since } = parse(listQuery, query);
    const { data, next } = listRecords(store, {
      companyId: principal.companyId,
      kind,
      limit,
      ...(cursor !== undefined && { after: cursor }),
      ...(updated_since !== undefined && { updatedSince: updated_since }),
    });
    return { data, next_cursor: next === undefined ? null : cursorOf(next) };
  });

  app.post(path, async ({ principal, body, headers }, reply) => {
    requireScope(principal, write);
    const { companyId, id: principalId } = principal;
    const header = headers['idempotency-key'];
    const key = typeof header === 'string' ? header : undefined;
    const answer = once(deps, { principalId, key, route: `POST ${path}`, input: body }, () => {
      const input = parse(fields, body);
      check(companyId, input);
      const record = createRecord(deps, { companyId, kind, fields: input });
      webhooks.publish({ companyId, type: `${kind}.created`, data: record });
      return { status: 201, body: record };
    });
    if (answer.isReplay) void reply.header('idempotent-replayed', 'true');
    return reply.code(answer.status).send(answer.body);
  });

  app.get<{ Params: { id: string } }>(`${path}/:id`, async ({ principal, params: { id } }) => {
    requireScope(principal, read);
    const record = findRecord(store, { companyId: principal.companyId, kind, id });
    if (record === undefined) throw notFound(kind, id);
    return record;
  });

  app.patch<{ Params: { id: string } }>(`${path}/:id`, async ({ principal, params: { id }, body }) => {
    requireScope(principal, write);
    const { companyId } = principal;
    const input = parse(changes, body);
    return store.transaction(() => {
      check(companyId, input);
      const record = updateRecord(deps, { companyId, kind, id, changes: input });
      if (record === undefined) throw notFound(kind, id);
      webhooks.publish({ companyId, type: `${kind}.updated`, data: record });
      return record;
    });
  });

  app.delete<{ Params: { id: string } }>(`${path}/:id`, async ({ principal, params: { id } }, reply) => {
    requireScope(principal, write);
    const { companyId } = principal;
    store.transaction(() => {
      if (!deleteRecord(store, { companyId, kind, id })) throw notFound(kind, id);
      webhooks.publish({ companyId, type: `${kind}.deleted`, data: { id } });
    });
    return reply.code(204).send();
  });
}
