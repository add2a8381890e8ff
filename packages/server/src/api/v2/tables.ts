import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { callerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import type { StoredTable } from '#db/data-table';
import { AppError } from '#domain/errors';
import {
  addColumns,
  addRecords,
  createTable,
  deleteRecord,
  deleteTable,
  findRecords,
  groupTables,
  pageOfRecords,
  pageOfTables,
  removeColumns,
  renameColumns,
  updateRecord,
  type TableScope,
  type TableView,
} from '#records/index';

const tags = ['Tables'];
const base = '/api/v2/public/tables';
const auth = { config: { auth: 'account?' as const } };
const tablePath = z.object({ table_id: z.string() });
const recordPath = tablePath.extend({ record_id: z.string() });
const rowsQuery = pageQuery.extend({
  limit: z.preprocess((limit) => limit ?? 100, pageQuery.shape.limit),
});
/** A row: `record_id` and a value for each column. */
const record = z.record(z.string(), z.unknown());

const tableShape = z.object({
  _id: z.string(),
  org_id: z.string(),
  linked_account_id: z.string().optional(),
  name: z.string(),
  environment: z.enum(['test', 'production']),
  table_type: z.literal('persistent'),
  is_deleted: z.boolean(),
  record_count: z.int(),
  group: z.string().optional(),
  createdAt: z.string(),
});

/** Persistent tables: spec/api §4.12. A caller with an account sees that account's; an API key alone, all. */
export function tableRoutes(app: ApiApp, deps: ApiDeps): void {
  tableDoors(app, deps);
  recordDoors(app, deps);
  columnDoors(app, deps);
}

function tableDoors(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      ...auth,
      schema: {
        tags,
        summary: 'List tables',
        operationId: 'listPersistentTables',
        querystring: pageQuery.extend({ name: z.string().optional() }),
        response: { 200: pageOf(tableShape) },
      },
    },
    async (request) => {
      const { name, ...asked } = request.query;
      const { tables, total } = await pageOfTables(deps, callerOf(request).tenant, viewOf(request), {
        nameLike: name === '' ? undefined : name,
        offset: (asked.page - 1) * asked.limit,
        limit: asked.limit,
      });
      return page(tables.map(shapeTable), total, asked);
    },
  );

  app.post(
    base,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Create a table',
        operationId: 'createPersistentTable',
        body: z.looseObject({
          table_name: z.string().optional(),
          columns: z
            .array(
              z.union([
                z.string(),
                z.looseObject({ column_name: z.string(), encrypted: z.boolean().optional() }),
              ]),
            )
            .optional(),
        }),
        response: { 200: z.object({ table_id: z.string(), already_exists: z.boolean() }) },
      },
    },
    async (request) => {
      const { table_name: name, columns } = request.body;
      if (name === undefined || columns === undefined) throw bothRequired();
      const { table, alreadyExists } = await createTable(deps, callerOf(request).tenant, scopeOf(request), {
        name,
        columns: columns.map((column) =>
          typeof column === 'string'
            ? { name: column, encrypted: false }
            : { name: column.column_name, encrypted: column.encrypted ?? false },
        ),
      });
      return { table_id: table.id, already_exists: alreadyExists };
    },
  );

  app.delete(
    `${base}/:table_id`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Delete a table',
        operationId: 'deletePersistentTable',
        params: tablePath,
        response: { 200: z.literal(true) },
      },
    },
    async (request) => {
      await deleteTable(deps, callerOf(request).tenant, viewOf(request), { id: request.params.table_id });
      return true as const;
    },
  );

  app.put(
    `${base}/group/edit`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'File tables under a group',
        operationId: 'editTablesGroup',
        body: z.looseObject({ tableIds: z.array(z.string()), group: z.string().nullish() }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { tableIds, group } = request.body;
      await groupTables(deps, callerOf(request).tenant, viewOf(request), tableIds, orNull(group));
      return reply.code(204).send(null);
    },
  );
}

function recordDoors(app: ApiApp, deps: ApiDeps): void {
  app.get(
    `${base}/:table_id`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'List the records of a table',
        operationId: 'getPersistentTableRecords',
        params: tablePath,
        querystring: rowsQuery,
        response: { 200: pageOf(record).extend({ name: z.string(), columns: z.array(z.string()) }) },
      },
    },
    async (request) => {
      const asked = request.query;
      const { table, records } = await pageOfRecords(
        deps,
        callerOf(request).tenant,
        viewOf(request),
        { id: request.params.table_id },
        { offset: (asked.page - 1) * asked.limit, limit: asked.limit },
      );
      return {
        name: table.name,
        columns: table.columns.map(({ name }) => name),
        ...page(records, table.record_count, asked),
      };
    },
  );

  app.patch(
    `${base}/:table_id`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Add records',
        operationId: 'addRecordsToPersistentTable',
        params: tablePath,
        body: z.looseObject({ data: z.union([record, z.array(record)]) }),
        response: {
          200: z.object({ add_record_result: z.array(record), transformed_add_data: z.array(record) }),
        },
      },
    },
    async (request) => {
      const added = await addRecords(
        deps,
        callerOf(request).tenant,
        viewOf(request),
        { id: request.params.table_id },
        request.body.data,
      );
      const values = added.map(({ record_id: _id, ...fields }) => fields);
      return { add_record_result: added, transformed_add_data: values };
    },
  );

  app.patch(
    `${base}/:table_id/records/:record_id`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Change a record',
        operationId: 'updatePersistentTableRecord',
        params: recordPath,
        body: z.looseObject({ data: record }),
        response: { 200: record },
      },
    },
    (request) => {
      const { table_id: id, record_id: recordId } = request.params;
      const { tenant } = callerOf(request);
      return updateRecord(deps, tenant, viewOf(request), { id }, recordId, request.body.data);
    },
  );

  app.delete(
    `${base}/:table_id/:record_id`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Delete a record',
        operationId: 'deletePersistentTableRecord',
        params: recordPath,
        response: { 200: record },
      },
    },
    (request) => {
      const { table_id: id, record_id: recordId } = request.params;
      return deleteRecord(deps, callerOf(request).tenant, viewOf(request), { id }, recordId);
    },
  );

  app.post(
    `${base}/:table_id/search`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Search records',
        description: 'Records that contain every given text in the given column, whatever its case.',
        operationId: 'searchPersistentTableRecords',
        params: tablePath,
        body: record,
        response: { 200: z.array(record) },
      },
    },
    (request) => {
      const { tenant } = callerOf(request);
      const ref = { id: request.params.table_id };
      return findRecords(deps, tenant, viewOf(request), ref, request.body, 'contains');
    },
  );
}

function columnDoors(app: ApiApp, deps: ApiDeps): void {
  const answer = { 200: z.object({ columns: z.array(z.string()) }) };
  const columnsBody = z.looseObject({ columns: z.array(z.string()) });

  app.patch(
    `${base}/:table_id/columns/add`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Add columns',
        operationId: 'addPersistentTableColumns',
        params: tablePath,
        body: columnsBody,
        response: answer,
      },
    },
    async (request) => {
      const columns = request.body.columns.map((name) => ({ name, encrypted: false }));
      const ref = { id: request.params.table_id };
      return {
        columns: await addColumns(deps, callerOf(request).tenant, viewOf(request), ref, columns),
      };
    },
  );

  app.delete(
    `${base}/:table_id/columns/remove`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Remove columns',
        operationId: 'removePersistentTableColumns',
        params: tablePath,
        body: columnsBody,
        response: answer,
      },
    },
    async (request) => {
      const ref = { id: request.params.table_id };
      const { tenant } = callerOf(request);
      return { columns: await removeColumns(deps, tenant, viewOf(request), ref, request.body.columns) };
    },
  );

  app.patch(
    `${base}/:table_id/columns/rename`,
    {
      ...auth,
      schema: {
        tags,
        summary: 'Rename columns',
        operationId: 'renamePersistentTableColumns',
        params: tablePath,
        body: z.looseObject({
          renames: z.array(z.looseObject({ old_name: z.string(), new_name: z.string() })),
        }),
        response: answer,
      },
    },
    async (request) => {
      const renames = request.body.renames.map(({ old_name, new_name }) => ({
        from: old_name,
        to: new_name,
      }));
      const ref = { id: request.params.table_id };
      return {
        columns: await renameColumns(deps, callerOf(request).tenant, viewOf(request), ref, renames),
      };
    },
  );
}

/** What a caller may read and change. */
function viewOf(request: FastifyRequest): TableView {
  const { linkedAccount } = callerOf(request);
  return linkedAccount === undefined ? 'anybody' : { linkedAccountId: linkedAccount.id, executionId: null };
}

/** Where a table that it makes belongs. */
function scopeOf(request: FastifyRequest): TableScope {
  return { linkedAccountId: callerOf(request).linkedAccount?.id ?? null, executionId: null };
}

function shapeTable(table: StoredTable): z.output<typeof tableShape> {
  return {
    _id: table.id,
    org_id: table.org_id,
    ...(table.account_id === null ? {} : { linked_account_id: table.account_id }),
    name: table.name,
    environment: table.environment,
    table_type: 'persistent',
    is_deleted: table.deleted_at !== null,
    record_count: table.record_count,
    ...(table.group_name === null ? {} : { group: table.group_name }),
    createdAt: wireTime(table.created_at),
  };
}

function bothRequired(): AppError<'invalid_request'> {
  return new AppError('invalid_request', {
    problems: [{ path: '', message: 'table_name and columns are required' }],
  });
}

function orNull(group: string | null | undefined): string | null {
  return group === undefined || group === '' ? null : group;
}
