import type { Pool } from 'pg';
import { type ConsoleAuth, createConsoleAuth } from '#api/console-auth';
import { createConsoleOwner } from '#api/console-owner';
import type { ApiDeps } from '#api/deps';
import { demoAccountId, prepareDemo } from '#boot/demo';
import { createConnectLink, getLinkedAccount, issueSessionToken } from '#connections/index';
import { findFirstOwner, findPasswordHash } from '#db/console';
import type { Tenant } from '#domain/tenant';
import { apiKeysOf, revealApiKey } from '#organizations/index';

/** The installation's first organisation, as `start` and `status` show it to its operator. */
export interface FirstOrganization {
  readonly orgId: string;
  /** How to sign in; null once the owner has changed the password, and when somebody else signed up first. */
  readonly owner: { readonly email: string; readonly password: string } | null;
  readonly keys: { readonly test: string; readonly production: string };
}

/** Any number that nothing else uses as an advisory lock. */
const firstRunLock = 734_881_221;
const ownerEmail = 'owner@inlay.local';

/**
 * Finds the installation's first organisation, and makes it when there is none: an owner who can sign in, and a
 * key for each environment. Of programs that start at once on one database, one makes it.
 */
export async function ensureFirstOrganization(deps: ApiDeps): Promise<FirstOrganization> {
  const auth = createConsoleAuth(deps);
  const owner = { email: ownerEmail, password: firstPassword(deps) };
  const { orgId, email } = await holdingLock(deps.pool, async () => {
    const existing = await findFirstOwner(deps.db);
    if (existing !== undefined) return existing;
    const { organization } = await createConsoleOwner(deps, auth, {
      ...owner,
      name: 'Owner',
      organization: 'My Company',
    });
    return { orgId: organization.orgId, email: owner.email };
  });
  const isFirst = email === owner.email && (await isPasswordOf(deps, auth, owner));
  return { orgId, owner: isFirst ? owner : null, keys: await keysOf(deps, orgId) };
}

/** Whether the first password still works: a dead one would only mislead. */
async function isPasswordOf(
  deps: ApiDeps,
  auth: ConsoleAuth,
  { email, password }: { email: string; password: string },
): Promise<boolean> {
  const hash = await findPasswordHash(deps.db, email);
  if (hash === undefined) return false;
  const { password: passwords } = await auth.$context;
  return passwords.verify({ hash, password });
}

/** Derived from the key ring: it is the same at every start, and stands nowhere. The owner may change it. */
function firstPassword({ vault }: Pick<ApiDeps, 'vault'>): string {
  return vault.deriveKey('first password of the owner').toString('base64url').slice(0, 20);
}

async function keysOf(deps: ApiDeps, orgId: string): Promise<FirstOrganization['keys']> {
  const keys = await apiKeysOf(deps, orgId);
  const reveal = async (environment: Tenant['environment']): Promise<string> => {
    const key = keys.find((candidate) => candidate.environment === environment);
    return key === undefined ? '' : revealApiKey(deps, orgId, key.id);
  };
  return { test: await reveal('test'), production: await reveal('production') };
}

/** What the banner shows of the demo: its customer, and a link to the portal that nobody has opened yet. */
export async function openDemo(
  deps: ApiDeps,
  { orgId, acmeUrl }: { orgId: string; acmeUrl: string },
): Promise<{ linkedAccountId: string; portalUrl: string }> {
  await holdingLock(deps.pool, () => prepareDemo(deps, orgId, acmeUrl));
  const tenant: Tenant = { orgId, environment: 'test' };
  const account = await getLinkedAccount(deps, tenant, demoAccountId);
  const linkedAccount = { id: account.id, accountId: account.account_id, name: account.name };
  const session = await issueSessionToken(deps, tenant, linkedAccount, { forceNew: false });
  const portalUrl = await createConnectLink(deps, tenant, {
    linkedAccount,
    sessionJti: session.jti,
    properties: {},
  });
  return { linkedAccountId: demoAccountId, portalUrl };
}

async function holdingLock<T>(pool: Pool, work: () => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [firstRunLock]);
    return await work();
  } finally {
    await client.query('select pg_advisory_unlock($1)', [firstRunLock]);
    client.release();
  }
}
