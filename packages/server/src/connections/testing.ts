import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { connectors } from '@inlay/connectors';
import { saveAppSettings } from '#connections/apps';
import type { ConnectionDeps } from '#connections/deps';
import type { TestDatabase } from '#db/testing';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';
import { createOutbound } from '#outbound/index';
import { createVault } from '#vault/index';

/** A clock that tests move; it starts at the real time, which the provider's tokens go by. */
export function movableClock(): Clock & { move(ms: number): void } {
  let offset = 0;
  return {
    now: () => new Date(Date.now() + offset),
    move: (ms) => {
      offset += ms;
    },
  };
}

/** For `assert.rejects`: an error of the catalogue, by its code and its words. */
export function refuses(code: AppError['code'], text = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

/** Everything that connecting needs, on a real database; the door is closed with the test. */
export function testConnectionDeps(
  t: TestContext,
  database: TestDatabase,
  overrides: Partial<ConnectionDeps> = {},
): ConnectionDeps {
  const clock = overrides.clock ?? movableClock();
  const outbound = createOutbound({ allow: ['127.0.0.1', '::1'], clock });
  t.after(() => outbound.close());
  return {
    db: database.db,
    pool: database.pool,
    clock,
    vault: createVault({
      keys: [{ id: 'ab'.repeat(8), key: randomBytes(32) }],
      derivationKey: randomBytes(32),
    }),
    outbound,
    connectors,
    // What is tested with these connects; it keeps no files and runs no scripts.
    sandbox: { runCode: () => Promise.reject(new Error('There is no sandbox here.')) },
    files: { write: () => Promise.reject(new Error('There is no file store here.')) },
    config: { publicUrl: 'http://localhost:9', appCredentials: {} },
    log: { info: () => undefined, warn: () => undefined },
    ...overrides,
  };
}

/** An organisation with one linked account and an app enabled for it. */
export async function testAccount(
  deps: ConnectionDeps,
  app: {
    readonly slug: string;
    readonly variables?: Record<string, string>;
    readonly client?: readonly [string, string];
  },
): Promise<{ tenant: Tenant; linkedAccount: LinkedAccountRef }> {
  const orgId = newId();
  const tenant: Tenant = { orgId, environment: 'test' };
  await deps.db
    .insertInto('organization')
    .values({ id: orgId, name: 'Test Company', slug: `org-${orgId}` })
    .execute();
  const linkedAccount = { id: newId(), accountId: `customer-${orgId}`, name: null };
  await deps.db
    .insertInto('linked_account')
    .values({
      id: linkedAccount.id,
      org_id: orgId,
      environment: 'test',
      account_id: linkedAccount.accountId,
      name: null,
    })
    .execute();
  await saveAppSettings(deps, tenant, app.slug, {
    isEnabled: true,
    ...(app.variables !== undefined && { variables: app.variables }),
    ...(app.client !== undefined && {
      credentialSource: 'own',
      clientId: app.client[0],
      clientSecret: app.client[1],
    }),
  });
  return { tenant, linkedAccount };
}
