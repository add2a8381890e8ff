import { z } from 'zod';
import {
  defaultPort,
  nodeType,
  type NodeContext,
  type NodeEffect,
  type SettingsContext,
} from '#engine/nodes/node-type';
import { need } from '#engine/nodes/settings';
import {
  addColumns,
  addRecords,
  createTable,
  deleteRecord,
  deleteTable,
  encryptedColumns,
  findRecords,
  getRecord,
  pageOfTables,
  removeColumns,
  renameColumns,
  updateRecord,
  type TableRef,
  type TableScope,
} from '#records/index';

const column = z.union([
  z.string().transform((name) => ({ name, encrypted: false })),
  z
    .looseObject({
      column_name: z.string().optional(),
      name: z.string().optional(),
      encrypted: z.boolean().default(false),
    })
    .transform(({ column_name, name, encrypted }) => ({ name: column_name ?? name ?? '', encrypted })),
]);

const settings = z.looseObject({
  action: z.enum([
    'create_table',
    'delete_table',
    'list_tables',
    'add_record',
    'search_record',
    'get_record',
    'update_record',
    'delete_record',
    'add_columns',
    'remove_columns',
    'rename_columns',
  ]),
  table_id: z.string().optional(),
  table_name: z.string().optional(),
  columns: z.array(column).optional(),
  renames: z.array(z.object({ old_name: z.string(), new_name: z.string() })).optional(),
  record_id: z.string().optional(),
  data: z.unknown().optional(),
  search: z.unknown().optional(),
  persistent: z.boolean().default(true),
  private: z.boolean().default(true),
});

type Settings = z.output<typeof settings>;

interface Action {
  readonly label: string;
  readonly effect: NodeEffect;
  perform(given: Settings, ctx: NodeContext, scope: TableScope): Promise<unknown>;
}

const actions: Readonly<Record<Settings['action'], Action>> = {
  create_table: {
    label: 'Create a table',
    effect: 'repeatable',
    async perform(given, { tenant, services, appSlug, configId }, scope) {
      const { table: made, alreadyExists } = await createTable(services.records, tenant, scope, {
        name: need(given.table_name, 'table_name'),
        columns: need(given.columns, 'columns'),
        madeFor: appSlug === undefined ? undefined : { appSlug, configId },
      });
      return { table_created: !alreadyExists, already_exists: alreadyExists, table_id: made.id };
    },
  },
  delete_table: {
    label: 'Delete a table',
    effect: 'once',
    async perform(given, { tenant, services }, scope) {
      await deleteTable(services.records, tenant, scope, refOf(given));
      return { deleted: true };
    },
  },
  list_tables: {
    label: 'List tables',
    effect: 'read',
    async perform(given, { tenant, services }, scope) {
      const asked = { nameLike: given.table_name, offset: 0, limit: 1_000 };
      const { tables } = await pageOfTables(services.records, tenant, scope, asked);
      return tables.map(({ id, name, columns, record_count }) => ({
        table_id: id,
        name,
        columns: columns.map((shown) => shown.name),
        record_count,
      }));
    },
  },
  add_record: {
    label: 'Add records',
    effect: 'repeatable',
    perform: (given, { tenant, services, idempotencyKey }, scope) =>
      addRecords(services.records, tenant, scope, refOf(given), need(given.data, 'data'), idempotencyKey),
  },
  search_record: {
    label: 'Search records',
    effect: 'read',
    perform: (given, { tenant, services }, scope) =>
      findRecords(services.records, tenant, scope, refOf(given), given.search ?? {}, 'exact'),
  },
  get_record: {
    label: 'Get a record',
    effect: 'read',
    perform: (given, { tenant, services }, scope) =>
      getRecord(services.records, tenant, scope, refOf(given), need(given.record_id, 'record_id')),
  },
  update_record: {
    label: 'Update a record',
    effect: 'repeatable',
    perform(given, { tenant, services }, scope) {
      const recordId = need(given.record_id, 'record_id');
      return updateRecord(services.records, tenant, scope, refOf(given), recordId, given.data ?? {});
    },
  },
  delete_record: {
    label: 'Delete a record',
    effect: 'once',
    perform: (given, { tenant, services }, scope) =>
      deleteRecord(services.records, tenant, scope, refOf(given), need(given.record_id, 'record_id')),
  },
  add_columns: {
    label: 'Add columns',
    effect: 'repeatable',
    async perform(given, { tenant, services }, scope) {
      const added = need(given.columns, 'columns');
      return { columns: await addColumns(services.records, tenant, scope, refOf(given), added) };
    },
  },
  remove_columns: {
    label: 'Remove columns',
    effect: 'once',
    async perform(given, { tenant, services }, scope) {
      const names = need(given.columns, 'columns').map(({ name }) => name);
      return { columns: await removeColumns(services.records, tenant, scope, refOf(given), names) };
    },
  },
  rename_columns: {
    label: 'Rename columns',
    effect: 'once',
    async perform(given, { tenant, services }, scope) {
      const renames = need(given.renames, 'renames');
      const pairs = renames.map(({ old_name, new_name }) => ({ from: old_name, to: new_name }));
      return { columns: await renameColumns(services.records, tenant, scope, refOf(given), pairs) };
    },
  },
};

/** Rows that outlive the execution, or last as long as it does (spec/workflows §12.17). */
export const table = nodeType({
  type: 'table',
  label: 'Tables',
  group: 'data',
  help: 'Keeps rows in a table of the customer, of everybody, or of this execution only.',
  reference: {
    output:
      'Of the action: `create_table` `{table_created, already_exists, table_id}`, `list_tables` a list of tables, `add_record` and `search_record` a list of records with their `record_id`, the others the record or the columns.',
    errors:
      'A table, column or record that does not exist; a value that is no text or number; 30 columns, 50,000 records.',
    effect:
      'by the action: creating and adding are `repeatable`, listing, searching and getting `read`, updating and adding columns `repeatable`, removing, renaming and deleting `once`.',
  },
  effect: ({ action }) => actions[action].effect,
  fields: {
    action: {
      type: 'select',
      label: 'Action',
      required: true,
      options: Object.entries(actions).map(([value, { label: name }]) => ({ name, value })),
    },
    table_name: { type: 'text', label: 'Table', help: 'Its name; or give "table_id".' },
    table_id: { type: 'text', label: 'Table id' },
    columns: { type: 'json', label: 'Columns', help: 'A list of names, or of {"name", "encrypted"}.' },
    renames: { type: 'json', label: 'Renames', help: 'A list of {"old_name", "new_name"}.' },
    record_id: { type: 'text', label: 'Record id' },
    data: { type: 'json', label: 'Record', help: 'A value for each column; a list adds several.' },
    search: { type: 'json', label: 'Search', help: 'Columns and the exact values to find.' },
    private: { type: 'boolean', label: 'Private to the linked account', default: true },
    persistent: {
      type: 'boolean',
      label: 'Persistent',
      help: 'Off: the table is gone when the execution ends.',
      default: true,
    },
  },
  settings,
  async secretSettings(given, ctx) {
    const isNamed = (given.table_id ?? given.table_name ?? '') !== '';
    if (given.data === undefined || !isNamed) return [];
    const { records } = ctx.services;
    const columns = await encryptedColumns(records, ctx.tenant, scopeOf(given, ctx), refOf(given));
    return columns.map((name) => (Array.isArray(given.data) ? ['data', '*', name] : ['data', name]));
  },
  async run(given, ctx) {
    const scope = scopeOf(given, ctx);
    const secret = new Set<string>();
    const records = {
      ...ctx.services.records,
      onOpened: (fields: object) => Object.keys(fields).forEach((name) => secret.add(name)),
    };
    const body = await actions[given.action].perform(
      given,
      { ...ctx, services: { ...ctx.services, records } },
      scope,
    );
    const encrypted = Array.from(secret, (name) => (Array.isArray(body) ? ['*', name] : [name]));
    return { kind: 'done', body, port: defaultPort, encrypted };
  },
});

function scopeOf(given: Settings, ctx: SettingsContext): TableScope {
  return {
    linkedAccountId: given.private ? ctx.linkedAccount.id : null,
    executionId: given.persistent ? null : ctx.executionId,
  };
}

function refOf({ table_id: id, table_name: name }: Settings): TableRef {
  if (id !== undefined && id !== '') return { id };
  return { name: need(name, 'table_name') };
}
