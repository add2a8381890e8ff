import { isDeepStrictEqual } from 'node:util';
import { type Credential, sealCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { noteConnectionEvent } from '#db/alert-event';
import {
  findConnection,
  findConnectionId,
  insertConnectionLog,
  lockConnectionKey,
  upsertConnection,
} from '#db/connection';
import { resumePolls } from '#db/trigger-registration';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** A credential that the provider has accepted, and what it told about itself. */
export interface ProvenCredential {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly slug: string;
  readonly credential: Credential;
  readonly accessExpiresAt: Date | null;
  readonly refreshExpiresAt: Date | null;
  readonly grantedScopes: readonly string[] | null;
  readonly identifier: unknown;
  readonly meta: Record<string, string>;
  /** For the log, e.g. required scopes that were not granted. */
  readonly detail?: Record<string, unknown>;
}

export interface StoredConnection {
  readonly isNew: boolean;
  /** Who was behind the connection before, when it is somebody else now. */
  readonly replacedIdentifier?: unknown;
}

/**
 * Stores a connection and the log line that says so, in one transaction: from its commit on every reader sees the
 * account connected. Authorizing again replaces the credential in place; a different account behind it is noted.
 */
export async function storeConnection(
  deps: Pick<ConnectionDeps, 'db' | 'vault' | 'clock' | 'onConnected'>,
  proven: ProvenCredential,
): Promise<StoredConnection> {
  const { tenant, linkedAccountId, slug } = proven;
  const authType = proven.credential.kind;
  return deps.db.transaction().execute(async (transaction) => {
    await lockConnectionKey(transaction, tenant, linkedAccountId, slug, authType);
    const existingId = await findConnectionId(transaction, tenant, { linkedAccountId, slug, authType });
    const before =
      existingId === undefined ? undefined : await findConnection(transaction, tenant, existingId);
    const id = existingId ?? newId();
    const now = deps.clock.now();
    await upsertConnection(transaction, tenant, {
      ...proven,
      id,
      authType,
      sealed: sealCredential(deps.vault, id, proven.credential),
      now,
    });
    const log = (event: 'created' | 'reauthenticated' | 'account_changed', detail: Record<string, unknown>) =>
      insertConnectionLog(
        transaction,
        { org_id: tenant.orgId, environment: tenant.environment },
        { linkedAccountId, slug, event, authType, detail, now },
      );
    const detail = {
      ...(proven.identifier !== undefined && { identifier: proven.identifier }),
      ...proven.detail,
    };
    await log(before === undefined ? 'created' : 'reauthenticated', detail);
    const isOtherAccount =
      before?.identifier != null &&
      proven.identifier !== undefined &&
      !isDeepStrictEqual(before.identifier, proven.identifier);
    await noteConnectionEvent(transaction, { ...tenant, linkedAccountId, slug }, 'Connection Created', now);
    if (isOtherAccount) await log('account_changed', { from: before.identifier, to: proven.identifier });
    // Authorizing again changes nothing that the account chose, not even a config that it deleted.
    if (before === undefined) await deps.onConnected?.(transaction, { tenant, linkedAccountId, slug });
    await resumePolls(transaction, tenant, { linkedAccountId, slug, isOtherAccount });
    return {
      isNew: before === undefined,
      ...(isOtherAccount && { replacedIdentifier: before.identifier }),
    };
  });
}
