import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** The ids of the organisation's events by their names; events deleted since are missing. */
export async function eventIdsByName(
  db: Db,
  tenant: Tenant,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map();
  const rows = await db
    .selectFrom('org_event')
    .select(['id', 'name'])
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('name', 'in', [...new Set(names)])
    .execute();
  return new Map(rows.map(({ id, name }) => [name, id]));
}
