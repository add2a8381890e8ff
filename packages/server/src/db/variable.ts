import { sql, type Selectable } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import type {
  Db,
  VariableDefinitionTable,
  VariableFormat,
  VariableScope,
  VariableValueTable,
} from '#db/schema';
import type { Tenant } from '#domain/tenant';

export type StoredDefinition = Selectable<VariableDefinitionTable>;

/** A value with what its definition says, and the customer's own id of the account. */
export interface StoredVariableValue extends Selectable<VariableValueTable> {
  readonly name: string;
  readonly scope: VariableScope;
  readonly var_format: VariableFormat;
  readonly is_encrypted: boolean;
  readonly account_id: string | null;
}

export interface DefinitionFilter {
  readonly scope?: VariableScope | undefined;
  readonly format?: VariableFormat | undefined;
  /** Part of the name, in any case. */
  readonly name?: string | undefined;
  readonly names?: readonly string[] | undefined;
}

interface PageAt {
  readonly page: number;
  readonly limit: number;
}

/** One page, oldest first, and how many there are. Definitions belong to the organisation, not to an environment. */
export async function listDefinitions(
  db: Db,
  orgId: string,
  filter: DefinitionFilter,
  { page, limit }: PageAt,
): Promise<{ rows: StoredDefinition[]; total: number }> {
  let matching = db.selectFrom('variable_definition').where('org_id', '=', orgId);
  if (filter.scope !== undefined) matching = matching.where('scope', '=', filter.scope);
  if (filter.format !== undefined) matching = matching.where('var_format', '=', filter.format);
  if (filter.name !== undefined) {
    matching = matching.where(sql<boolean>`strpos(lower(name), lower(${filter.name})) > 0`);
  }
  if (filter.names !== undefined) matching = matching.where('name', 'in', [...filter.names]);
  const { total } = await matching
    .select((select) => select.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await matching
    .selectAll()
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .offset((page - 1) * limit)
    .execute();
  return { rows, total };
}

export function findDefinition(db: Db, orgId: string, id: string): Promise<StoredDefinition | undefined> {
  return db
    .selectFrom('variable_definition')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Stores a definition unless its scope has one of that name; then undefined. */
export function insertDefinition(
  db: Db,
  row: {
    id: string;
    orgId: string;
    name: string;
    description: string;
    scope: VariableScope;
    format: VariableFormat;
    isEncrypted: boolean;
    by: string;
  },
): Promise<StoredDefinition | undefined> {
  return db
    .insertInto('variable_definition')
    .values({
      id: row.id,
      org_id: row.orgId,
      name: row.name,
      description: row.description,
      scope: row.scope,
      var_format: row.format,
      is_encrypted: row.isEncrypted,
      created_by: row.by,
      updated_by: row.by,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'scope', 'name']).doNothing())
    .returningAll()
    .executeTakeFirst();
}

export function updateDescription(
  db: Db,
  orgId: string,
  id: string,
  change: { description: string; by: string },
): Promise<StoredDefinition | undefined> {
  return db
    .updateTable('variable_definition')
    .set({ description: change.description, updated_by: change.by, updated_at: sql<Date>`now()` })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** Deletes a definition with all of its values. Says whether it was there. */
export async function deleteDefinition(db: Db, orgId: string, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('variable_definition')
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** Whose value it is: null for the scopes that have no owner but the organisation. */
export interface ValueTarget {
  readonly definitionId: string;
  readonly linkedAccountId: string | null;
  readonly workflowId: string | null;
}

function values(db: Db, tenant: Tenant) {
  return db
    .selectFrom('variable_value as v')
    .innerJoin('variable_definition as d', (join) =>
      join.onRef('d.id', '=', 'v.definition_id').onRef('d.org_id', '=', 'v.org_id'),
    )
    .leftJoin('linked_account as a', 'a.id', 'v.linked_account_id')
    .where('v.org_id', '=', tenant.orgId)
    .where('v.environment', '=', tenant.environment);
}

const shown = ['d.name', 'd.scope', 'd.var_format', 'd.is_encrypted', 'a.account_id'] as const;

export function findValue(db: Db, tenant: Tenant, of: ValueTarget): Promise<StoredVariableValue | undefined> {
  return values(db, tenant)
    .where('v.definition_id', '=', of.definitionId)
    .where('v.linked_account_id', 'is not distinct from', of.linkedAccountId)
    .where('v.workflow_id', 'is not distinct from', of.workflowId)
    .selectAll('v')
    .select(shown)
    .executeTakeFirst();
}

export function findValueById(db: Db, tenant: Tenant, id: string): Promise<StoredVariableValue | undefined> {
  return values(db, tenant).where('v.id', '=', id).selectAll('v').select(shown).executeTakeFirst();
}

export async function listValues(
  db: Db,
  tenant: Tenant,
  filter: {
    readonly scope: VariableScope;
    readonly definitionId?: string | undefined;
    readonly linkedAccountId?: string | undefined;
    readonly workflowId?: string | undefined;
  },
  { page, limit }: PageAt,
): Promise<{ rows: StoredVariableValue[]; total: number }> {
  let matching = values(db, tenant).where('d.scope', '=', filter.scope);
  if (filter.definitionId !== undefined) matching = matching.where('d.id', '=', filter.definitionId);
  if (filter.linkedAccountId !== undefined) {
    matching = matching.where('v.linked_account_id', '=', filter.linkedAccountId);
  }
  if (filter.workflowId !== undefined) matching = matching.where('v.workflow_id', '=', filter.workflowId);
  const { total } = await matching
    .select((select) => select.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await matching
    .selectAll('v')
    .select(shown)
    .orderBy('v.created_at')
    .orderBy('v.id')
    .limit(limit)
    .offset((page - 1) * limit)
    .execute();
  return { rows, total };
}

/**
 * Stores the value of a target, or replaces it. The row keeps its id, which is what a sealed value is bound to:
 * `seal` is asked with the id that the row has.
 */
export async function putValue(
  transaction: Db,
  tenant: Tenant,
  of: ValueTarget,
  write: { newId: string; by: string; contentOf: (id: string) => { value: string } | { sealed: Buffer } },
): Promise<void> {
  // The definition's row is the lock: two first values of one target cannot both be inserted.
  await transaction
    .selectFrom('variable_definition')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('id', '=', of.definitionId)
    .forUpdate()
    .execute();
  const existing = await findValue(transaction, tenant, of);
  const content = write.contentOf(existing?.id ?? write.newId);
  const columns =
    'sealed' in content
      ? { value: null, value_sealed: content.sealed }
      : { value: content.value, value_sealed: null };
  if (existing === undefined) {
    await transaction
      .insertInto('variable_value')
      .values({
        id: write.newId,
        definition_id: of.definitionId,
        org_id: tenant.orgId,
        environment: tenant.environment,
        linked_account_id: of.linkedAccountId,
        workflow_id: of.workflowId,
        ...columns,
        created_by: write.by,
        updated_by: write.by,
      })
      .execute();
    return;
  }
  await transaction
    .updateTable('variable_value')
    .set({ ...columns, updated_by: write.by, updated_at: sql<Date>`now()` })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', existing.id)
    .execute();
}

/** Deletes a value; with an account, only one of that account. Says whether it was there. */
export async function deleteValue(
  db: Db,
  tenant: Tenant,
  id: string,
  linkedAccountId?: string,
): Promise<boolean> {
  let matching = db
    .deleteFrom('variable_value')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id);
  if (linkedAccountId !== undefined) matching = matching.where('linked_account_id', '=', linkedAccountId);
  return (await matching.executeTakeFirst()).numDeletedRows > 0n;
}

/** A value as a run reads it. */
export interface RunVariableValue {
  readonly id: string;
  readonly name: string;
  readonly scope: VariableScope;
  readonly var_format: VariableFormat;
  readonly value: string | null;
  readonly value_sealed: Buffer | null;
}

/** Every value that counts for one run of a workflow for an account. */
export async function valuesForRun(
  client: Pool | PoolClient,
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly workflowId: string },
): Promise<RunVariableValue[]> {
  const { rows } = await client.query<RunVariableValue>({
    name: 'run_variables',
    text: `select v.id, d.name, d.scope, d.var_format, v.value, v.value_sealed
      from variable_value v
      join variable_definition d on d.id = v.definition_id and d.org_id = v.org_id
      where v.org_id = $1 and v.environment = $2
        and (v.linked_account_id is null or v.linked_account_id = $3)
        and (v.workflow_id is null or v.workflow_id = $4)`,
    values: [tenant.orgId, tenant.environment, of.linkedAccountId, of.workflowId],
  });
  return rows;
}
