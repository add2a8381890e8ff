import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { connectedByOAuth, runningAcme } from '../packages/server/src/connections/acme-fixture.ts';
import { testConnectionDeps } from '../packages/server/src/connections/testing.ts';
import { createTestDatabase } from '../packages/server/src/db/testing.ts';
import { openVault } from '../packages/server/src/vault/index.ts';
import type { CallerSettings } from './refresh-caller.ts';

async function serverProcess(t: TestContext, settings: CallerSettings): Promise<ChildProcess> {
  const child = fork(new URL('./refresh-caller.ts', import.meta.url), [JSON.stringify(settings)]);
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.disconnect();
    await once(child, 'exit');
  });
  await once(child, 'message');
  return child;
}

async function call(child: ChildProcess, count: number): Promise<string[]> {
  const answer = once(child, 'message');
  child.send(count);
  const [results] = (await answer) as [string[]];
  return results;
}

test('200 callers in two server processes with an expired, rotating token cause one refresh each time', async (t) => {
  const database = await createTestDatabase();
  t.after(() => database.drop());
  const masterKey = randomBytes(32).toString('base64');
  const deps = testConnectionDeps(t, database, { vault: await openVault({ masterKey }) });
  const crm = await runningAcme(t);
  const { tenant, linkedAccount } = await connectedByOAuth(deps, crm);
  const settings = { databaseUrl: database.url, masterKey, tenant, linkedAccount };
  const servers = await Promise.all([serverProcess(t, settings), serverProcess(t, settings)]);

  for (let round = 1; round <= 5; round += 1) {
    // As time would: the token is dead at the provider, and our row says so (in odd rounds only, to try both ways).
    crm.control.expireAccessTokens();
    if (round % 2 === 1) {
      await database.pool.query(`update connection set access_expires_at = now() - interval '1 second'`);
    }
    crm.control.resetStats();
    const results = (await Promise.all(servers.map((server) => call(server, 100)))).flat();
    assert.equal(results.length, 200);
    assert.deepEqual([...new Set(results)], ['200'], `round ${round}`);
    assert.deepEqual(crm.control.stats().tokenRequests, { refresh_token: { succeeded: 1, failed: 0 } });
  }
  const { rows } = await database.pool.query('select status, credential_version from connection');
  assert.deepEqual(rows, [{ status: 'active', credential_version: 6 }]);
});
