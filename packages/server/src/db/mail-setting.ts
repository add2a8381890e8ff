import type { Pool } from 'pg';
import type { Tenant } from '#domain/tenant';

export type MailSecurity = 'tls' | 'starttls' | 'none';

export interface MailSettingRow {
  readonly host: string;
  readonly port: number;
  readonly security: MailSecurity;
  readonly username: string | null;
  readonly passwordSealed: Buffer | null;
  readonly defaultFrom: string | null;
  readonly updatedAt: Date;
}

export async function findMailSetting(pool: Pool, tenant: Tenant): Promise<MailSettingRow | undefined> {
  const { rows } = await pool.query<MailSettingRow>(
    `select host, port, security, username, password_sealed as "passwordSealed", default_from as "defaultFrom",
       updated_at as "updatedAt"
     from mail_setting where org_id = $1 and environment = $2`,
    [tenant.orgId, tenant.environment],
  );
  return rows[0];
}

/** Writes the whole setting; an absent password leaves the stored one, null removes it. */
export async function upsertMailSetting(
  pool: Pool,
  tenant: Tenant,
  setting: Omit<MailSettingRow, 'passwordSealed' | 'updatedAt'> & {
    readonly passwordSealed?: Buffer | null | undefined;
  },
): Promise<void> {
  await pool.query(
    `insert into mail_setting (org_id, environment, host, port, security, username, password_sealed, default_from)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (org_id, environment) do update set host = excluded.host, port = excluded.port,
       security = excluded.security, username = excluded.username, default_from = excluded.default_from,
       password_sealed = case when $9 then mail_setting.password_sealed else excluded.password_sealed end,
       updated_at = now()`,
    [
      tenant.orgId,
      tenant.environment,
      setting.host,
      setting.port,
      setting.security,
      setting.username,
      setting.passwordSealed ?? null,
      setting.defaultFrom,
      setting.passwordSealed === undefined,
    ],
  );
}

export async function deleteMailSetting(pool: Pool, tenant: Tenant): Promise<boolean> {
  const { rowCount } = await pool.query('delete from mail_setting where org_id = $1 and environment = $2', [
    tenant.orgId,
    tenant.environment,
  ]);
  return rowCount === 1;
}
