import { sql } from 'kysely';
import type { Db, VariableScope } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** A row that a document names: by `id` in its own environment, by `name` or `alias` everywhere. */
export interface NamedRow {
  readonly id: string;
  readonly name: string;
  readonly alias?: string | null;
  /** The other id of a workflow. */
  readonly draftId?: string;
}

export type NamedKind = 'function' | 'table' | 'queue' | 'polling_trigger' | 'workflow';

/**
 * The rows of a kind that have one of these keys as id or name. The name of a workflow is the id in its file; that of
 * a polling trigger is `<app>/<name>`.
 *
 * @param ownerId - the linked account whose own workflows are meant beside the organisation's; they come last
 */
export async function findNamed(
  db: Db,
  tenant: Tenant,
  kind: NamedKind,
  keys: readonly string[],
  ownerId: string | null,
): Promise<NamedRow[]> {
  if (keys.length === 0) return [];
  const wanted = sql`any(${[...keys]}::text[])`;
  const ours = sql`org_id = ${tenant.orgId} and environment = ${tenant.environment}`;
  const queries = {
    function: sql<NamedRow>`select id, name from code_function where ${ours} and (id = ${wanted} or name = ${wanted})`,
    table: sql<NamedRow>`select id, name from data_table
      where ${ours} and deleted_at is null and execution_id is null and (id = ${wanted} or name = ${wanted})`,
    queue: sql<NamedRow>`select id, name from recovery_queue where ${ours} and (id = ${wanted} or name = ${wanted})`,
    polling_trigger: sql<NamedRow>`select id, app_slug || '/' || name as name from custom_poll
      where ${ours} and (id = ${wanted} or app_slug || '/' || name = ${wanted})`,
    workflow: sql<NamedRow>`select id, draft_id as "draftId", coalesce(origin_id, id) as name, alias
      from workflow
      where ${ours} and (linked_account_id is null or linked_account_id = ${ownerId})
        and (id = ${wanted} or draft_id = ${wanted} or origin_id = ${wanted} or alias = ${wanted})
      order by linked_account_id nulls first, id`,
  };
  return (await queries[kind].execute(db)).rows;
}

/** Of some names of variables, those that the organisation has defined, in one of the scopes if any are named. */
export async function definedVariables(
  db: Db,
  orgId: string,
  names: readonly string[],
  scopes: readonly VariableScope[] = ['org', 'workspace', 'linked_account', 'workflow'],
): Promise<string[]> {
  if (names.length === 0) return [];
  const { rows } = await sql<{ name: string }>`
    select distinct name from variable_definition where org_id = ${orgId} and name = any(${[...names]}::text[])
      and scope = any(${[...scopes]}::text[])
    order by name`.execute(db);
  return rows.map(({ name }) => name);
}

/** Of some names of model providers, those that the environment has. */
export async function knownModelProviders(
  db: Db,
  tenant: Tenant,
  names: readonly string[],
): Promise<string[]> {
  if (names.length === 0) return [];
  const { rows } = await sql<{ name: string }>`
    select name from model_provider where org_id = ${tenant.orgId} and environment = ${tenant.environment}
      and name = any(${[...names]}::text[])`.execute(db);
  return rows.map(({ name }) => name);
}
