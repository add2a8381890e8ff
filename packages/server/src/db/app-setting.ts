import { sql } from 'kysely';
import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

export interface AppSettingRow {
  readonly app_slug: string;
  readonly is_enabled: boolean;
  readonly credential_source: 'ours' | 'own';
  readonly client_id: string | null;
  readonly client_secret_sealed: Buffer | null;
  readonly optional_scopes: string[];
  readonly custom_scopes: string[];
  readonly variables: Record<string, string>;
}

const columns = [
  'app_slug',
  'is_enabled',
  'credential_source',
  'client_id',
  'client_secret_sealed',
  'optional_scopes',
  'custom_scopes',
  'variables',
] as const;

/** Settings of every app that was ever enabled in this environment. */
export async function listAppSettings(db: Db, tenant: Tenant): Promise<AppSettingRow[]> {
  return db
    .selectFrom('app_setting')
    .select(columns)
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .execute();
}

export async function findAppSetting(
  db: Db,
  tenant: Tenant,
  slug: string,
): Promise<AppSettingRow | undefined> {
  return db
    .selectFrom('app_setting')
    .select(columns)
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('app_slug', '=', slug)
    .executeTakeFirst();
}

/** Members that are absent stay as they are. */
export interface AppSettingChange {
  readonly isEnabled?: boolean | undefined;
  readonly credentialSource?: 'ours' | 'own' | undefined;
  readonly clientId?: string | null | undefined;
  readonly clientSecretSealed?: Buffer | null | undefined;
  readonly optionalScopes?: readonly string[] | undefined;
  readonly customScopes?: readonly string[] | undefined;
  readonly variables?: Readonly<Record<string, string>> | undefined;
}

/** Creates or changes an app's settings. A disabled app keeps them, and its connections. */
export async function upsertAppSetting(
  db: Db,
  tenant: Tenant,
  slug: string,
  change: AppSettingChange,
): Promise<void> {
  const values = {
    ...(change.isEnabled !== undefined && { is_enabled: change.isEnabled }),
    ...(change.credentialSource !== undefined && { credential_source: change.credentialSource }),
    ...(change.clientId !== undefined && { client_id: change.clientId }),
    ...(change.clientSecretSealed !== undefined && { client_secret_sealed: change.clientSecretSealed }),
    ...(change.optionalScopes !== undefined && { optional_scopes: [...change.optionalScopes] }),
    ...(change.customScopes !== undefined && { custom_scopes: [...change.customScopes] }),
    ...(change.variables !== undefined && { variables: JSON.stringify(change.variables) }),
  };
  await db
    .insertInto('app_setting')
    .values({ org_id: tenant.orgId, environment: tenant.environment, app_slug: slug, ...values })
    .onConflict((conflict) =>
      conflict
        .columns(['org_id', 'environment', 'app_slug'])
        .doUpdateSet({ ...values, updated_at: sql`now()` }),
    )
    .execute();
}
