import type { Db } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** An authorization that the browser brought back. */
export interface ClaimedOAuthState {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly flowSealed: Buffer;
  readonly returnTo: string | null;
}

export async function insertOAuthState(
  db: Db,
  tenant: Tenant,
  input: {
    readonly stateHash: Buffer;
    readonly linkedAccountId: string;
    readonly slug: string;
    readonly flowSealed: Buffer;
    readonly returnTo: string | null;
    readonly expiresAt: Date;
    readonly now: Date;
  },
): Promise<void> {
  await db
    .insertInto('oauth_state')
    .values({
      state_hash: input.stateHash,
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: input.linkedAccountId,
      app_slug: input.slug,
      flow_sealed: input.flowSealed,
      return_to: input.returnTo,
      expires_at: input.expiresAt,
      created_at: input.now,
    })
    .execute();
}

/**
 * Uses up a state: of two callbacks that bring the same one, one gets it. It is looked up by its hash alone,
 * since the browser that brings it knows no tenant; 256 random bits are the proof.
 */
export async function claimOAuthState(
  db: Db,
  stateHash: Buffer,
  slug: string,
  now: Date,
): Promise<ClaimedOAuthState | undefined> {
  const row = await db
    .updateTable('oauth_state')
    .set({ used_at: now })
    .where('state_hash', '=', stateHash)
    .where('app_slug', '=', slug)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning(['org_id', 'environment', 'linked_account_id', 'flow_sealed', 'return_to'])
    .executeTakeFirst();
  return (
    row && {
      tenant: { orgId: row.org_id, environment: row.environment },
      linkedAccountId: row.linked_account_id,
      flowSealed: row.flow_sealed,
      returnTo: row.return_to,
    }
  );
}

/** Forgets authorizations that nobody can finish any more. */
export async function deleteOAuthStatesBefore(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('oauth_state').where('expires_at', '<', before).execute();
}
