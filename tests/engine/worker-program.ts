import { pino } from 'pino';
import { createDb, createPool } from '../../packages/server/src/db/pool.ts';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { crashAt } from '../../packages/server/src/engine/crash-points.ts';
import { createEngine, type NodeServices } from '../../packages/server/src/engine/index.ts';
import { testVault } from '../../packages/server/src/vault/testing.ts';
import { effectNodes } from './effect-nodes.ts';

/**
 * One process with the real engine, for tests that kill it. It is told by its environment: where the database and
 * the sink of effects are, where to die, and what to start before it claims.
 */
const { DATABASE_URL, SINK_URL, CRASH_AT, START, CONCURRENCY = '500' } = process.env;
if (DATABASE_URL === undefined || SINK_URL === undefined)
  throw new Error('DATABASE_URL and SINK_URL are required.');

const pool = createPool({ url: DATABASE_URL, max: 8 });
const engine = await createEngine(
  {
    pool,
    db: createDb(pool),
    clock: systemClock,
    log: pino({ level: 'warn' }),
    // Every process of one test opens what another one sealed.
    vault: testVault('crash'),
    services: {} as NodeServices,
  },
  {
    databaseUrl: DATABASE_URL,
    concurrency: Number(CONCURRENCY),
    registry: effectNodes(SINK_URL),
    ...(CRASH_AT === undefined ? {} : { crash: crashAt(CRASH_AT) }),
  },
);

interface StartOrder {
  readonly tenant: { readonly orgId: string; readonly environment: 'test' };
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly workflowIds: readonly string[];
}
if (START !== undefined) {
  const { tenant, linkedAccount, workflowIds } = JSON.parse(START) as StartOrder;
  await Promise.all(
    workflowIds.map((workflowId) =>
      engine.startExecution(tenant, {
        workflowId,
        version: 1,
        linkedAccount,
        configId: 'crash',
        source: 'api_call',
        payload: {},
      }),
    ),
  );
}
engine.start();
process.stdout.write('ready\n');
