import type { Selectable } from 'kysely';
import type { AgentMemoryTable, AgentStepTable, Db, ModelProviderTable } from '#db/schema';
import type { Tenant } from '#domain/tenant';

export type StoredProvider = Selectable<ModelProviderTable>;

/** The steps of one agent so far, in order. */
export function loadAgentSteps(
  db: Db,
  tenant: Tenant,
  runKey: string,
): Promise<Pick<Selectable<AgentStepTable>, 'seq' | 'entry_sealed'>[]> {
  return db
    .selectFrom('agent_step')
    .select(['seq', 'entry_sealed'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('run_key', '=', runKey)
    .orderBy('seq')
    .execute();
}

/** False: the step is there already, so another process goes on with this agent. */
export async function appendAgentStep(
  db: Db,
  tenant: Tenant,
  step: { readonly runKey: string; readonly seq: number; readonly sealed: Buffer },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('agent_step')
    .values({
      org_id: tenant.orgId,
      environment: tenant.environment,
      run_key: step.runKey,
      seq: step.seq,
      entry_sealed: step.sealed,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Forgets steps of agents that have long ended; a few at a time, whenever one begins. */
export async function dropOldAgentSteps(db: Db, tenant: Tenant, before: Date): Promise<void> {
  await db
    .deleteFrom('agent_step')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('created_at', '<', before)
    .execute();
}

export interface MemoryOf {
  readonly linkedAccountId: string;
  readonly store: string;
  readonly identifier: string;
}

/** The last messages of a conversation, oldest first. */
export async function loadAgentMemory(
  db: Db,
  tenant: Tenant,
  { linkedAccountId, store, identifier }: MemoryOf,
  last: number,
  exceptRun: string,
): Promise<Pick<Selectable<AgentMemoryTable>, 'role' | 'run_key' | 'content_sealed'>[]> {
  const rows = await db
    .selectFrom('agent_memory')
    .select(['role', 'run_key', 'content_sealed'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('linked_account_id', '=', linkedAccountId)
    .where('store', '=', store)
    .where('identifier', '=', identifier)
    .where('run_key', '<>', exceptRun)
    .orderBy('id', 'desc')
    .limit(last)
    .execute();
  return rows.toReversed();
}

/** Adds a question and its answer, both sealed, once for each run. */
export async function appendAgentMemory(
  db: Db,
  tenant: Tenant,
  { linkedAccountId, store, identifier }: MemoryOf,
  said: { readonly runKey: string; readonly question: Buffer; readonly answer: Buffer },
): Promise<void> {
  const row = (role: 'user' | 'assistant', content: Buffer) => ({
    org_id: tenant.orgId,
    environment: tenant.environment,
    linked_account_id: linkedAccountId,
    store,
    identifier,
    run_key: said.runKey,
    role,
    content_sealed: content,
  });
  await db
    .insertInto('agent_memory')
    .values([row('user', said.question), row('assistant', said.answer)])
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

function providersOf(db: Db, tenant: Tenant) {
  return db
    .selectFrom('model_provider')
    .selectAll()
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment);
}

export function listModelProviders(db: Db, tenant: Tenant): Promise<StoredProvider[]> {
  return providersOf(db, tenant).orderBy('name').execute();
}

export function findModelProvider(db: Db, tenant: Tenant, name: string): Promise<StoredProvider | undefined> {
  return providersOf(db, tenant).where('name', '=', name).executeTakeFirst();
}

/** Stores a provider, in place of one of the same name. */
export async function putModelProvider(
  db: Db,
  tenant: Tenant,
  given: Pick<StoredProvider, 'name' | 'kind' | 'base_url' | 'default_model' | 'key_sealed'>,
): Promise<StoredProvider> {
  const { name, ...values } = given;
  return db
    .insertInto('model_provider')
    .values({ org_id: tenant.orgId, environment: tenant.environment, name, ...values })
    .onConflict((conflict) =>
      conflict.columns(['org_id', 'environment', 'name']).doUpdateSet({ ...values, updated_at: new Date() }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** False: there is none of that name. */
export async function deleteModelProvider(db: Db, tenant: Tenant, name: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('model_provider')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('name', '=', name)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
