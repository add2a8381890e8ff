import { connectors } from '@inlay/connectors';
import { executeAction } from '../packages/server/src/connections/index.ts';
import { createDb, createPool } from '../packages/server/src/db/pool.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import type { LinkedAccountRef } from '../packages/server/src/domain/linked-account.ts';
import type { Tenant } from '../packages/server/src/domain/tenant.ts';
import { createOutbound } from '../packages/server/src/outbound/index.ts';
import { openVault } from '../packages/server/src/vault/index.ts';

/**
 * One server process of refresh-single-flight.test.ts: it reports when it is ready, and on each message makes
 * that many calls at once for one account and reports what came of them.
 */
export interface CallerSettings {
  readonly databaseUrl: string;
  readonly masterKey: string;
  readonly tenant: Tenant;
  readonly linkedAccount: LinkedAccountRef;
}

const settings = JSON.parse(process.argv[2] ?? '') as CallerSettings;
const pool = createPool({ url: settings.databaseUrl, max: 10 });
const deps = {
  db: createDb(pool),
  pool,
  clock: systemClock,
  vault: await openVault({ masterKey: settings.masterKey }),
  outbound: createOutbound({ allow: ['127.0.0.1', '::1'], clock: systemClock }),
  connectors,
  sandbox: { runCode: () => Promise.reject(new Error('no scripts here')) },
  files: { write: () => Promise.reject(new Error('no files here')) },
  config: { publicUrl: 'http://localhost:9', appCredentials: {} },
  log: { info: () => undefined, warn: () => undefined },
};

process.on('message', (count: number) => void callAll(count));
process.on('disconnect', () => void Promise.all([pool.end(), deps.outbound.close()]));
// A connection to the database and the code are warm before the race starts.
await pool.query('select 1');
process.send?.('ready');

async function callAll(count: number): Promise<void> {
  const results = await Promise.allSettled(
    Array.from({ length: count }, () =>
      executeAction(deps, {
        tenant: settings.tenant,
        linkedAccountId: settings.linkedAccount.id,
        slug: 'acme-crm',
        actionId: 'httprequest',
        input: { path: '/users/me' },
      }),
    ),
  );
  process.send?.(
    results.map((result) =>
      result.status === 'fulfilled' ? String(result.value.status) : String(result.reason),
    ),
  );
}
