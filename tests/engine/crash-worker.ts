import { pino, type DestinationStream } from 'pino';
import { createDb, createPool } from '../../packages/server/src/db/pool.ts';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { crashAt } from '../../packages/server/src/engine/crash-points.ts';
import { createEngine, type NodeServices } from '../../packages/server/src/engine/index.ts';
import { testVault } from '../../packages/server/src/vault/testing.ts';
import { effectNodes } from './effect-nodes.ts';

export interface CrashWorkerOptions {
  readonly databaseUrl: string;
  readonly sinkUrl: string;
  readonly concurrency: number;
  readonly crashAt?: string | undefined;
  readonly start?: StartOrder | undefined;
}

export interface StartOrder {
  readonly tenant: { readonly orgId: string; readonly environment: 'test' };
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly workflowIds: readonly string[];
}

/** The real engine on a database of a crash test: queues what it is told to, and works. */
export async function openCrashWorker(
  options: CrashWorkerOptions,
  log: DestinationStream,
): Promise<{ end(): Promise<void> }> {
  const pool = createPool({ url: options.databaseUrl, max: 8 });
  const engine = await createEngine(
    {
      pool,
      db: createDb(pool),
      clock: systemClock,
      log: pino({ level: 'warn' }, log),
      // Every process of one test opens what another one sealed.
      vault: testVault('crash'),
      services: {} as NodeServices,
    },
    {
      databaseUrl: options.databaseUrl,
      concurrency: options.concurrency,
      registry: effectNodes(options.sinkUrl),
      ...(options.crashAt === undefined ? {} : { crash: crashAt(options.crashAt) }),
    },
  );
  await Promise.all(
    (options.start?.workflowIds ?? []).map((workflowId) =>
      engine.startExecution(options.start!.tenant, {
        workflowId,
        version: 1,
        linkedAccount: options.start!.linkedAccount,
        configId: 'crash',
        source: 'api_call',
        payload: {},
      }),
    ),
  );
  engine.start();
  return {
    async end() {
      await engine.drain(0);
      await pool.end();
    },
  };
}
