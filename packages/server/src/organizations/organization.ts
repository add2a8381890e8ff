import { randomInt } from 'node:crypto';
import {
  findLogRetention,
  findOrganization,
  insertOrganization,
  setLogRetention,
  updateOrganization,
  type OrganizationChange,
  type StoredOrganization,
} from '#db/organization';
import { inTransaction } from '#db/transaction';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import { createApiKey, type OrganizationDeps } from '#organizations/api-keys';

export interface NewOrganization {
  readonly orgId: string;
  readonly slug: string;
  readonly keys: { readonly test: string; readonly production: string };
}

/** Creates an organisation with one API key in each environment, all or nothing. */
export async function createOrganization(
  deps: OrganizationDeps,
  input: { name: string; email?: string },
): Promise<NewOrganization> {
  const orgId = newId();
  const slug = slugFor(input.name);
  return inTransaction(deps.db, async (db) => {
    await insertOrganization(db, {
      id: orgId,
      name: input.name,
      slug,
      email: input.email ?? null,
      createdAt: deps.clock.now(),
    });
    return { orgId, slug, keys: await createFirstKeys({ ...deps, db }, orgId) };
  });
}

/** The keys that every organisation starts with. */
async function createFirstKeys(
  deps: OrganizationDeps,
  orgId: string,
): Promise<{ test: string; production: string }> {
  return {
    test: await createApiKey(deps, { orgId, environment: 'test' }),
    production: await createApiKey(deps, { orgId, environment: 'production' }),
  };
}

/** @throws not_found */
export async function getOrganization(deps: OrganizationDeps, orgId: string): Promise<StoredOrganization> {
  const found = await findOrganization(deps.db, orgId);
  if (found === undefined) throw new AppError('not_found', { what: 'Organization', id: orgId });
  return found;
}

/** @throws not_found */
export async function changeOrganization(
  deps: OrganizationDeps,
  orgId: string,
  change: OrganizationChange,
): Promise<StoredOrganization> {
  await updateOrganization(deps.db, orgId, change);
  return getOrganization(deps, orgId);
}

/** Days that an organisation chose to keep its logs; null: it chose nothing. @throws not_found */
export async function logRetentionOf(deps: OrganizationDeps, orgId: string): Promise<number | null> {
  const days = await findLogRetention(deps.db, orgId);
  if (days === undefined) throw new AppError('not_found', { what: 'Organization', id: orgId });
  return days;
}

/** @throws not_found */
export async function changeLogRetention(
  deps: OrganizationDeps,
  orgId: string,
  days: number | null,
): Promise<number | null> {
  await setLogRetention(deps.db, orgId, days);
  return logRetentionOf(deps, orgId);
}

/** A readable unique name, such as `acme-4k2x9z`; the random end keeps two companies of one name apart. */
export function slugFor(name: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${words === '' ? 'org' : words}-${randomInt(0, 36 ** 6)
    .toString(36)
    .padStart(6, '0')}`;
}
