import type { Selectable } from 'kysely';
import type { Db, LinkedAccountTable, UserDefinedField } from '#db/schema';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

export type StoredLinkedAccount = Selectable<LinkedAccountTable>;

/** Finds an account by the id that the SaaS company gave it. */
export async function findLinkedAccountRef(
  db: Db,
  tenant: Tenant,
  accountId: string,
): Promise<LinkedAccountRef | undefined> {
  const row = await db
    .selectFrom('linked_account')
    .select(['id', 'account_id', 'name'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  return row && { id: row.id, accountId: row.account_id, name: row.name };
}

/** Finds an account by our own id. */
export async function findLinkedAccountById(
  db: Db,
  tenant: Tenant,
  id: string,
): Promise<LinkedAccountRef | undefined> {
  const row = await db
    .selectFrom('linked_account')
    .select(['account_id', 'name'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
  return row && { id, accountId: row.account_id, name: row.name };
}

/** The whole row; `lock` holds it against other writers until the transaction ends. */
export function findLinkedAccount(
  db: Db,
  tenant: Tenant,
  accountId: string,
  options: { lock?: boolean } = {},
): Promise<StoredLinkedAccount | undefined> {
  return db
    .selectFrom('linked_account')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('account_id', '=', accountId)
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
}

export interface LinkedAccountValues {
  readonly name: string | null;
  readonly scope: string | null;
  readonly udf: readonly UserDefinedField[];
  readonly extra: Readonly<Record<string, unknown>>;
  readonly orgCredentialsSealed: Buffer | null;
}

/** Inserts unless the id is taken; `undefined` says it was, however many callers race. */
export function insertLinkedAccount(
  db: Db,
  tenant: Tenant,
  row: LinkedAccountValues & { id: string; accountId: string; at: Date },
): Promise<StoredLinkedAccount | undefined> {
  return db
    .insertInto('linked_account')
    .values({
      id: row.id,
      org_id: tenant.orgId,
      environment: tenant.environment,
      account_id: row.accountId,
      ...columns(row),
      created_at: row.at,
      updated_at: row.at,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'environment', 'account_id']).doNothing())
    .returningAll()
    .executeTakeFirst();
}

export function updateLinkedAccount(
  db: Db,
  tenant: Tenant,
  id: string,
  values: LinkedAccountValues & { at: Date },
): Promise<StoredLinkedAccount> {
  return db
    .updateTable('linked_account')
    .set({ ...columns(values), updated_at: values.at })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

function columns(values: LinkedAccountValues) {
  return {
    name: values.name,
    scope: values.scope,
    udf: JSON.stringify(values.udf),
    extra: JSON.stringify(values.extra),
    org_credentials_sealed: values.orgCredentialsSealed,
  };
}

/** Deletes an account and, by foreign keys, all that is its own. Says whether it was there. */
export async function deleteLinkedAccountRow(db: Db, tenant: Tenant, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('linked_account')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export interface LinkedAccountFilter {
  readonly scope?: string | undefined;
  /** Part of the id or the name, in any case. */
  readonly search?: string | undefined;
}

/** One page, newest first, and how many there are. */
export async function listLinkedAccounts(
  db: Db,
  tenant: Tenant,
  filter: LinkedAccountFilter,
  { page, limit }: { page: number; limit: number },
): Promise<{ rows: StoredLinkedAccount[]; total: number }> {
  let matching = db
    .selectFrom('linked_account')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment);
  if (filter.scope !== undefined) matching = matching.where('scope', '=', filter.scope);
  if (filter.search !== undefined) {
    const pattern = `%${filter.search.replaceAll(/[\\%_]/g, '\\$&')}%`;
    matching = matching.where((where) =>
      where.or([where('account_id', 'ilike', pattern), where('name', 'ilike', pattern)]),
    );
  }
  const { total } = await matching
    .select((select) => select.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await matching
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .offset((page - 1) * limit)
    .execute();
  return { rows, total };
}
