import type { ConnectionDeps } from '#connections/deps';
import { disconnect } from '#connections/disconnect';
import {
  deleteLinkedAccountRow,
  findLinkedAccount,
  insertLinkedAccount,
  updateLinkedAccount,
  type LinkedAccountValues,
  type StoredLinkedAccount,
} from '#db/linked-account';
import { summarizeConnections } from '#db/connection-summary';
import { findOrganization } from '#db/organization';
import type { Db, UserDefinedField } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { sealContext, type Vault } from '#vault/index';

export interface LinkedAccountDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly vault: Vault;
}

/** What a caller says about an account. Members that are absent stay as they are. */
export interface LinkedAccountInput {
  readonly name?: string | undefined;
  readonly scope?: string | undefined;
  /** Own fields of the SaaS company; `null` removes one. */
  readonly udf?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  /** This customer's credentials for the SaaS company's own API. */
  readonly orgCredentials?: Readonly<Record<string, string>> | undefined;
  /** Fields of the call that we know nothing about: kept and given back. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

const noValues: Omit<LinkedAccountValues, 'orgCredentialsSealed'> = {
  name: null,
  scope: null,
  udf: [],
  extra: {},
};

/** Creates an account; of concurrent calls with one id exactly one succeeds. @throws linked_account_exists */
export async function createLinkedAccount(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  input: LinkedAccountInput,
): Promise<StoredLinkedAccount> {
  const account = await insert(deps, tenant, accountId, input);
  if (account === undefined) {
    throw new AppError('linked_account_exists', { id: accountId, environment: tenant.environment });
  }
  return account;
}

/** Creates the account, or changes the members that are given: udf and credentials merge by their names. */
export async function upsertLinkedAccount(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  input: LinkedAccountInput,
): Promise<{ account: StoredLinkedAccount; isNew: boolean }> {
  return deps.db.transaction().execute(async (db) => {
    const inTransaction = { ...deps, db };
    const created = await insert(inTransaction, tenant, accountId, input);
    if (created !== undefined) return { account: created, isNew: true };
    const stored = await findLinkedAccount(db, tenant, accountId, { lock: true });
    // Deleted between the two statements: the caller may simply repeat.
    if (stored === undefined) throw notFound(tenant, accountId);
    const account = await updateLinkedAccount(db, tenant, stored.id, {
      ...merge(stored, input, deps.clock.now()),
      orgCredentialsSealed: mergeCredentials(deps.vault, stored.id, stored.org_credentials_sealed, input),
      at: deps.clock.now(),
    });
    return { account, isNew: false };
  });
}

/** @throws linked_account_not_found */
export async function getLinkedAccount(
  deps: Pick<LinkedAccountDeps, 'db'>,
  tenant: Tenant,
  accountId: string,
): Promise<StoredLinkedAccount> {
  const account = await findLinkedAccount(deps.db, tenant, accountId);
  if (account === undefined) throw notFound(tenant, accountId);
  return account;
}

/**
 * Deletes an account with its connections, configs and session tokens. Each app is disconnected first, so that
 * its provider forgets the tokens too.
 *
 * @throws linked_account_not_found; wrong_state for the organisation's designated test user in `test`
 */
export async function deleteLinkedAccount(
  deps: ConnectionDeps,
  tenant: Tenant,
  accountId: string,
): Promise<StoredLinkedAccount> {
  const account = await getLinkedAccount(deps, tenant, accountId);
  if (tenant.environment === 'test') {
    const organization = await findOrganization(deps.db, tenant.orgId);
    if (organization?.settings['test_linked_account_id'] === accountId) {
      throw new AppError('wrong_state', {
        reason: `Linked account "${accountId}" is the test user of this organization. Choose another test user first.`,
      });
    }
  }
  const linkedAccount = { id: account.id, accountId, name: account.name };
  const connections = await summarizeConnections(deps.db, tenant, [account.id]);
  const slugs = new Set(connections.map((connection) => connection.app_slug));
  await Promise.all([...slugs].map((slug) => disconnect(deps, { tenant, linkedAccount, slug })));
  if (!(await deleteLinkedAccountRow(deps.db, tenant, account.id))) throw notFound(tenant, accountId);
  return account;
}

/** Sets one credential of the customer for the SaaS company's own API. @returns whether it is new */
export async function setOrgCredential(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  name: string,
  value: string,
): Promise<'added' | 'updated'> {
  return changeOrgCredentials(deps, tenant, accountId, (credentials) => {
    const action = Object.hasOwn(credentials, name) ? 'updated' : 'added';
    return { credentials: { ...credentials, [name]: value }, result: action };
  });
}

/** @throws not_found */
export async function removeOrgCredential(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  name: string,
): Promise<void> {
  await changeOrgCredentials(deps, tenant, accountId, (credentials) => {
    if (!Object.hasOwn(credentials, name))
      throw new AppError('not_found', { what: 'Auth credential', id: name });
    const { [name]: _removed, ...rest } = credentials;
    return { credentials: rest, result: undefined };
  });
}

/** Compare-and-set by row lock: two callers that set two names keep both. */
async function changeOrgCredentials<Result>(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  change: (credentials: Record<string, string>) => { credentials: Record<string, string>; result: Result },
): Promise<Result> {
  return deps.db.transaction().execute(async (db) => {
    const stored = await findLinkedAccount(db, tenant, accountId, { lock: true });
    if (stored === undefined) throw notFound(tenant, accountId);
    if (stored.org_credentials_sealed === null) {
      throw new AppError('not_found', { what: 'Default app integration of linked account', id: accountId });
    }
    const { credentials, result } = change(
      openCredentials(deps.vault, stored.id, stored.org_credentials_sealed),
    );
    await updateLinkedAccount(db, tenant, stored.id, {
      ...merge(stored, {}, deps.clock.now()),
      orgCredentialsSealed: sealCredentials(deps.vault, stored.id, credentials),
      at: deps.clock.now(),
    });
    return result;
  });
}

function insert(
  deps: LinkedAccountDeps,
  tenant: Tenant,
  accountId: string,
  input: LinkedAccountInput,
): Promise<StoredLinkedAccount | undefined> {
  const id = newId();
  const at = deps.clock.now();
  return insertLinkedAccount(deps.db, tenant, {
    id,
    accountId,
    ...merge(noValues, input, at),
    orgCredentialsSealed: mergeCredentials(deps.vault, id, null, input),
    at,
  });
}

function merge(
  stored: Pick<StoredLinkedAccount, 'name' | 'scope' | 'udf' | 'extra'> | typeof noValues,
  input: LinkedAccountInput,
  at: Date,
): Omit<LinkedAccountValues, 'orgCredentialsSealed'> {
  return {
    name: input.name ?? stored.name,
    scope: input.scope ?? stored.scope,
    udf: mergeUdf(stored.udf, input.udf ?? {}, at),
    extra: { ...stored.extra, ...input.extra },
  };
}

function mergeUdf(
  stored: readonly UserDefinedField[],
  given: Readonly<Record<string, string | number | boolean | null>>,
  at: Date,
): UserDefinedField[] {
  const time = at.toISOString();
  const fields = new Map(stored.map((field) => [field.key_name, field]));
  for (const [name, value] of Object.entries(given)) {
    const known = fields.get(name);
    if (value === null) fields.delete(name);
    else if (known === undefined) {
      fields.set(name, { _id: newId(), key_name: name, key_value: value, createdAt: time, updatedAt: time });
    } else if (known.key_value !== value) {
      fields.set(name, { ...known, key_value: value, updatedAt: time });
    }
  }
  return [...fields.values()];
}

function mergeCredentials(
  vault: Vault,
  id: string,
  sealed: Buffer | null,
  input: LinkedAccountInput,
): Buffer | null {
  if (input.orgCredentials === undefined) return sealed;
  const stored = sealed === null ? {} : openCredentials(vault, id, sealed);
  return sealCredentials(vault, id, { ...stored, ...input.orgCredentials });
}

function sealCredentials(vault: Vault, id: string, credentials: Record<string, string>): Buffer {
  return vault.sealJson(credentials, sealContext('linked_account.org_credentials_sealed', id));
}

function openCredentials(vault: Vault, id: string, sealed: Buffer): Record<string, string> {
  return vault.openJson(sealed, sealContext('linked_account.org_credentials_sealed', id)) as Record<
    string,
    string
  >;
}

function notFound(tenant: Tenant, id: string): AppError {
  return new AppError('linked_account_not_found', { id, ...tenant });
}
