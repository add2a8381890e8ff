import type { Db } from '#db/schema';

export interface StoredOrganization {
  id: string;
  name: string;
  slug: string;
  logo: string | null;
  website: string | null;
  email: string | null;
  settings: Record<string, unknown>;
  created_at: Date;
}

export function findOrganization(db: Db, orgId: string): Promise<StoredOrganization | undefined> {
  return db
    .selectFrom('organization')
    .select(['id', 'name', 'slug', 'logo', 'website', 'email', 'settings', 'created_at'])
    .where('id', '=', orgId)
    .executeTakeFirst();
}

export async function insertOrganization(
  db: Db,
  row: { id: string; name: string; slug: string; email: string | null; createdAt: Date },
): Promise<void> {
  await db
    .insertInto('organization')
    .values({ id: row.id, name: row.name, slug: row.slug, email: row.email, created_at: row.createdAt })
    .execute();
}

export interface OrganizationChange {
  readonly name?: string;
  readonly logo?: string | null;
  readonly website?: string | null;
  /** Replaces the settings whole. */
  readonly settings?: Record<string, unknown>;
}

export async function updateOrganization(db: Db, orgId: string, change: OrganizationChange): Promise<void> {
  const { settings, ...columns } = change;
  if (Object.keys(change).length === 0) return;
  await db
    .updateTable('organization')
    .set({ ...columns, ...(settings !== undefined && { settings: JSON.stringify(settings) }) })
    .where('id', '=', orgId)
    .execute();
}

/** Days that an organisation chose to keep its logs; null: none. `undefined`: there is no such organisation. */
export async function findLogRetention(db: Db, orgId: string): Promise<number | null | undefined> {
  const row = await db
    .selectFrom('organization')
    .select('log_retention_days')
    .where('id', '=', orgId)
    .executeTakeFirst();
  return row?.log_retention_days;
}

export async function setLogRetention(db: Db, orgId: string, days: number | null): Promise<void> {
  await db.updateTable('organization').set({ log_retention_days: days }).where('id', '=', orgId).execute();
}
