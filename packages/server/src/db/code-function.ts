import type { Selectable } from 'kysely';
import type { CodeFunctionTable, CodeFunctionVersionTable, Db, FunctionField } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** A function with one of its versions. */
export type StoredFunction = Selectable<CodeFunctionTable> &
  Pick<Selectable<CodeFunctionVersionTable>, 'version' | 'language' | 'code' | 'inputs' | 'outputs'>;

/** What a version consists of. */
export interface FunctionBody {
  readonly language: 'javascript' | 'python';
  readonly code: string;
  readonly inputs: readonly FunctionField[];
  readonly outputs: readonly FunctionField[];
}

function functionsOf(db: Db, tenant: Tenant) {
  return db
    .selectFrom('code_function')
    .innerJoin('code_function_version', 'code_function_version.function_id', 'code_function.id')
    .where('code_function.org_id', '=', tenant.orgId)
    .where('code_function.environment', '=', tenant.environment)
    .selectAll('code_function')
    .select(['version', 'language', 'code', 'inputs', 'outputs']);
}

/** Every function in its latest version, by name. */
export function listFunctions(db: Db, tenant: Tenant): Promise<StoredFunction[]> {
  return functionsOf(db, tenant)
    .whereRef('code_function_version.version', '=', 'code_function.latest_version')
    .orderBy('code_function.name')
    .execute();
}

/** One version of a function; the latest without a number. */
export function findFunction(
  db: Db,
  tenant: Tenant,
  id: string,
  version?: number,
): Promise<StoredFunction | undefined> {
  return functionsOf(db, tenant)
    .where('code_function.id', '=', id)
    .$if(version !== undefined, (query) => query.where('code_function_version.version', '=', version ?? 0))
    .$if(version === undefined, (query) =>
      query.whereRef('code_function_version.version', '=', 'code_function.latest_version'),
    )
    .executeTakeFirst();
}

/** The latest version numbers of some functions; those that are not there are missing. */
export async function latestFunctionVersions(
  db: Db,
  tenant: Tenant,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('code_function')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', 'in', ids)
    .select(['id', 'latest_version'])
    .execute();
  return new Map(rows.map((row) => [row.id, row.latest_version]));
}

/** Stores a function with its first version; the caller holds a transaction. */
export async function insertFunction(
  db: Db,
  tenant: Tenant,
  given: FunctionBody & { readonly name: string; readonly description: string },
): Promise<string> {
  const id = newId();
  await db
    .insertInto('code_function')
    .values({
      id,
      org_id: tenant.orgId,
      environment: tenant.environment,
      name: given.name,
      description: given.description,
      latest_version: 1,
    })
    .execute();
  await insertFunctionVersion(db, tenant, id, 1, given);
  return id;
}

export async function insertFunctionVersion(
  db: Db,
  tenant: Tenant,
  id: string,
  version: number,
  body: FunctionBody,
): Promise<void> {
  await db
    .insertInto('code_function_version')
    .values({
      function_id: id,
      version,
      org_id: tenant.orgId,
      environment: tenant.environment,
      language: body.language,
      code: body.code,
      inputs: JSON.stringify(body.inputs),
      outputs: JSON.stringify(body.outputs),
    })
    .execute();
}

/** Changes what is not versioned, and says which version is the latest. Locks the row for the transaction. */
export async function updateFunctionRow(
  db: Db,
  tenant: Tenant,
  id: string,
  changes: { readonly name: string; readonly description: string; readonly latestVersion: number },
): Promise<void> {
  await db
    .updateTable('code_function')
    .set({
      name: changes.name,
      description: changes.description,
      latest_version: changes.latestVersion,
      updated_at: new Date(),
    })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .execute();
}

/** Two changes of one function follow one another. */
export async function lockFunction(db: Db, tenant: Tenant, id: string): Promise<void> {
  await db
    .selectFrom('code_function')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .forUpdate()
    .execute();
}

/** Deletes a function with all its versions. False: there is none. */
export async function deleteFunctionRow(db: Db, tenant: Tenant, id: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('code_function')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Whether another function of the tenant has this name. */
export async function isFunctionNameTaken(
  db: Db,
  tenant: Tenant,
  name: string,
  exceptId?: string,
): Promise<boolean> {
  const found = await db
    .selectFrom('code_function')
    .select('id')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('name', '=', name)
    .$if(exceptId !== undefined, (query) => query.where('id', '<>', exceptId ?? ''))
    .executeTakeFirst();
  return found !== undefined;
}
