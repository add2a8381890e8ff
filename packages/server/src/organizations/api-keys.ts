import { createHash, randomUUID } from 'node:crypto';
import { disableApiKey, insertApiKey, listApiKeys } from '#db/api-key';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Environment, Tenant } from '#domain/tenant';
import { sealContext, type Vault } from '#vault/index';

export interface OrganizationDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly vault: Vault;
}

/** A key as lists show it: never the key itself. */
export interface ApiKeySummary {
  readonly id: string;
  readonly environment: Environment;
  /** The first and last characters, to tell keys apart. */
  readonly hint: string;
  readonly createdAt: Date;
}

const prefixes = { test: 'tk', production: 'pk' } as const satisfies Record<Environment, string>;

/** How a key is looked up: 122 random bits need no slow hash. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Makes a key (`tk` or `pk`, then a UUID) and returns it; what is stored is its hash and a sealed copy. */
export async function createApiKey(deps: OrganizationDeps, tenant: Tenant): Promise<string> {
  const id = newId();
  const key = prefixes[tenant.environment] + randomUUID();
  await insertApiKey(deps.db, {
    id,
    tenant,
    keyHash: hashApiKey(key),
    keySealed: deps.vault.seal(key, sealContext('api_key.key_sealed', id)),
    hint: `${key.slice(0, 6)}…${key.slice(-4)}`,
    createdAt: deps.clock.now(),
  });
  return key;
}

export async function apiKeysOf(deps: OrganizationDeps, orgId: string): Promise<ApiKeySummary[]> {
  const rows = await listApiKeys(deps.db, orgId);
  return rows.map((row) => ({
    id: row.id,
    environment: row.environment,
    hint: row.hint,
    createdAt: row.created_at,
  }));
}

/** @throws not_found */
export async function revealApiKey(deps: OrganizationDeps, orgId: string, keyId: string): Promise<string> {
  const row = (await listApiKeys(deps.db, orgId)).find(({ id }) => id === keyId);
  if (row === undefined) throw new AppError('not_found', { what: 'API key', id: keyId });
  return deps.vault.open(row.key_sealed, sealContext('api_key.key_sealed', row.id)).toString();
}

/** Replaces a key: the old one stops working with the same commit that makes the new one. @throws not_found */
export async function regenerateApiKey(
  deps: OrganizationDeps,
  tenant: Tenant,
  keyId: string,
): Promise<string> {
  return deps.db.transaction().execute(async (db) => {
    if (!(await disableApiKey(db, tenant, keyId, deps.clock.now()))) {
      throw new AppError('not_found', { what: 'API key', id: keyId });
    }
    return createApiKey({ ...deps, db }, tenant);
  });
}

/** The key that signs what we send for an environment: the oldest of its keys that work. */
export async function signingKey(
  deps: Pick<OrganizationDeps, 'db' | 'vault'>,
  { orgId, environment }: Tenant,
): Promise<string | undefined> {
  const row = (await listApiKeys(deps.db, orgId)).find((key) => key.environment === environment);
  return row && deps.vault.open(row.key_sealed, sealContext('api_key.key_sealed', row.id)).toString();
}
