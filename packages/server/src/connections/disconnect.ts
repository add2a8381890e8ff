import { openCredential } from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { revokeToken } from '#connections/token-endpoint';
import { noteConnectionEvent } from '#db/alert-event';
import { findAppSetting } from '#db/app-setting';
import {
  type ConnectionRow,
  deleteConfigsOfApp,
  deleteConnections,
  insertConnectionLog,
  listConnections,
} from '#db/connection';
import type { AuthType } from '#db/schema';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/**
 * Removes an account's credentials for an app, of one auth type or all. With the last one go the account's
 * configurations of that app. Then the provider is told, as far as it can be: a provider that does not answer does
 * not keep the account connected.
 *
 * @returns whether there was anything to remove
 */
export async function disconnect(
  deps: ConnectionDeps,
  input: {
    readonly tenant: Tenant;
    readonly linkedAccount: LinkedAccountRef;
    readonly slug: string;
    readonly authType?: AuthType | undefined;
  },
): Promise<boolean> {
  const { tenant, linkedAccount, slug, authType } = input;
  const key = { linkedAccountId: linkedAccount.id, slug };
  const removed = await deps.db.transaction().execute(async (transaction) => {
    const rows = await deleteConnections(transaction, tenant, { ...key, authType });
    if (rows.length === 0) return rows;
    const now = deps.clock.now();
    for (const row of rows) {
      await insertConnectionLog(transaction, row, {
        ...key,
        event: 'deleted',
        authType: row.auth_type,
        detail: row.identifier === null ? {} : { identifier: row.identifier },
        now,
      });
    }
    const left = await listConnections(transaction, tenant, linkedAccount.id, slug);
    if (left.length === 0) {
      await deleteConfigsOfApp(transaction, tenant, linkedAccount.id, slug);
      await noteConnectionEvent(transaction, { ...tenant, ...key }, 'Connection Deleted', now);
    }
    return rows;
  });
  await Promise.all(removed.map((row) => revoke(deps, tenant, row)));
  return removed.length > 0;
}

async function revoke(deps: ConnectionDeps, tenant: Tenant, row: ConnectionRow): Promise<void> {
  const connector = deps.connectors.get(row.app_slug);
  const oauth2 = connector?.auth.oauth2;
  if (connector === undefined || oauth2?.revocationUrl === undefined || row.auth_type !== 'oauth2') return;
  try {
    const credential = openCredential(deps.vault, row);
    if (credential.kind !== 'oauth2') return;
    const vars = (await findAppSetting(deps.db, tenant, row.app_slug))?.variables ?? {};
    const request = {
      connector,
      oauth2,
      client: credential.client,
      place: { meta: row.meta, vars },
      now: deps.clock.now(),
    };
    // Revoking the refresh token ends the whole grant (RFC 7009 §2.1).
    await revokeToken(deps.outbound, request, credential.refreshToken ?? credential.accessToken);
  } catch (error) {
    deps.log.warn(
      { err: error, slug: row.app_slug, connectionId: row.id },
      'the provider could not be told of a disconnect',
    );
  }
}
