import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import { headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import type { StoredDataRef } from '#db/data-ref';
import { findLinkedAccountRef } from '#db/linked-account';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import {
  clearDataRef,
  createDataRef,
  dataRefTable,
  deleteDataRef,
  groupDataRefs,
  pageOfDataRefNames,
  pageOfDataRefs,
} from '#records/index';

const tags = ['Data references'];
const base = '/api/v2/public/dataref';
const namePath = z.object({ refName: z.string() });

const refShape = z.object({
  _id: z.string(),
  name: z.string(),
  linked_account_id: z.string(),
  org_id: z.string(),
  environment: z.enum(['test', 'production']),
  data: z.record(z.string(), z.array(z.object({ slug: z.string(), value: z.string() }))).optional(),
  group: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
const nameShape = z.object({ name: z.string(), linked_account_ids: z.array(z.string()) });

/** Data references: spec/api §4.12. */
export function dataRefRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'List data references',
        description:
          'Of every account, or of one. `unique=true` lists the distinct names with their accounts.',
        operationId: 'listDatarefs',
        querystring: pageQuery.extend({
          unique: z.string().optional(),
          linked_account_id: z.string().optional(),
        }),
        response: { 200: pageOf(z.union([refShape, nameShape])) },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      const asked = request.query;
      const account = await namedAccount(deps, request);
      const where = {
        linkedAccountId: account?.id,
        offset: (asked.page - 1) * asked.limit,
        limit: asked.limit,
      };
      if (asked.unique === 'true') {
        const { names, total } = await pageOfDataRefNames(deps, tenant, where);
        const docs = names.map(({ name, account_ids }) => ({ name, linked_account_ids: account_ids }));
        return page(docs, total, asked);
      }
      const { refs, total } = await pageOfDataRefs(deps, tenant, where);
      return page(
        refs.map((ref) => shapeRef(ref, ref.account_id)),
        total,
        asked,
      );
    },
  );

  app.post(
    base,
    {
      config: { auth: 'key+account' },
      schema: {
        tags,
        summary: 'Create a data reference',
        operationId: 'createDataref',
        body: z.looseObject({ refName: z.string().optional() }),
        response: { 200: refShape },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const made = await createDataRef(deps, tenant, linkedAccount.id, request.body.refName ?? '');
      return shapeRef(made, linkedAccount.accountId, {});
    },
  );

  app.get(
    `${base}/:refName`,
    {
      config: { auth: 'key+account' },
      schema: {
        tags,
        summary: 'Read a data reference as a table',
        operationId: 'getDatarefAsTable',
        params: namePath,
        querystring: pageQuery.extend({
          limit: z.preprocess((limit) => limit ?? 100, pageQuery.shape.limit),
        }),
        response: {
          200: z.object({
            headers: z.array(z.string()),
            rows: z.array(z.record(z.string(), z.string())),
            page: z.int(),
            limit: z.int(),
            totalDocs: z.int(),
            totalPages: z.int(),
            hasNextPage: z.boolean(),
          }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { page: number, limit } = request.query;
      const { headers, rows, total } = await dataRefTable(
        deps,
        tenant,
        linkedAccount.id,
        request.params.refName,
        { offset: (number - 1) * limit, limit },
      );
      const totalPages = Math.ceil(total / limit);
      return {
        headers,
        rows,
        page: number,
        limit,
        totalDocs: total,
        totalPages,
        hasNextPage: number < totalPages,
      };
    },
  );

  app.delete(
    `${base}/:refName`,
    {
      config: { auth: 'key+account' },
      schema: {
        tags,
        summary: 'Delete a data reference',
        operationId: 'deleteDataref',
        params: namePath,
        response: { 200: z.object({ acknowledged: z.literal(true), deletedCount: z.int() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const isDeleted = await deleteDataRef(deps, tenant, linkedAccount.id, request.params.refName);
      return { acknowledged: true as const, deletedCount: isDeleted ? 1 : 0 };
    },
  );

  app.put(
    `${base}/:refName/clear-records`,
    {
      config: { auth: 'key+account' },
      schema: {
        tags,
        summary: 'Forget every record of a data reference',
        operationId: 'clearDatarefRecords',
        params: namePath,
        response: { 200: refShape },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const ref = await clearDataRef(deps, tenant, linkedAccount.id, request.params.refName);
      return shapeRef(ref, linkedAccount.accountId, {});
    },
  );

  app.put(
    '/api/v2/public/datarefs/group',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'File data references under a group',
        operationId: 'editDatarefGroup',
        body: z.looseObject({ refNames: z.array(z.string()).min(1), group: z.string().nullish() }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const account = await namedAccount(deps, request);
      const { refNames, group } = request.body;
      const wanted = group === undefined || group === '' ? null : group;
      await groupDataRefs(deps, callerOf(request).tenant, account?.id, refNames, wanted);
      return reply.code(204).send(null);
    },
  );
}

/** The account that a key names, when it does. @throws AppError `linked_account_not_found` */
async function namedAccount(deps: ApiDeps, request: FastifyRequest): Promise<LinkedAccountRef | undefined> {
  const accountId = headerOrQuery(request, 'linked_account_id');
  if (accountId === undefined) return undefined;
  const { tenant } = callerOf(request);
  const account = await findLinkedAccountRef(deps.db, tenant, accountId);
  if (account === undefined) throw new AppError('linked_account_not_found', { id: accountId, ...tenant });
  return account;
}

function shapeRef(
  ref: StoredDataRef,
  accountId: string,
  data?: z.output<typeof refShape>['data'],
): z.output<typeof refShape> {
  return {
    _id: ref.id,
    name: ref.name,
    linked_account_id: accountId,
    org_id: ref.org_id,
    environment: ref.environment,
    ...(data === undefined ? {} : { data }),
    ...(ref.group_name === null ? {} : { group: ref.group_name }),
    createdAt: wireTime(ref.created_at),
    updatedAt: wireTime(ref.updated_at),
  };
}
