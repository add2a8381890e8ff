import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { pino } from 'pino';
import { z } from 'zod';
import { migrate } from '../packages/server/src/db/migrate.ts';
import { createDb, createPool } from '../packages/server/src/db/pool.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { newId } from '../packages/server/src/domain/ids.ts';
import { createEngine, nodeRegistry, type NodeServices } from '../packages/server/src/engine/index.ts';
import { builtInNodes } from '../packages/server/src/engine/nodes/index.ts';
import { done, nodeType } from '../packages/server/src/engine/nodes/node-type.ts';
import { testVault } from '../packages/server/src/vault/testing.ts';
import { figure, figureLine } from './figure.ts';

/**
 * One execution with one loop: items a second and how far memory grows, for bodies that only compute and for bodies
 * that wait for a commit of their own before each call.
 *
 * node --expose-gc bench/loop.ts --url postgres://… [--items 10000]
 */
const { values: args } = parseArgs({
  options: { url: { type: 'string' }, items: { type: 'string', default: '10000' } },
});
if (args.url === undefined) throw new Error('Give --url: a PostgreSQL where a database may be created.');
const items = Number(args.items);

const settings = z.looseObject({ value: z.unknown() });
const stepType = (type: string, effect: 'none' | 'repeatable') =>
  nodeType({
    type,
    label: type,
    group: 'data',
    help: 'Hands on its value.',
    effect,
    fields: {},
    settings,
    run: ({ value }) => done({ value, text: 'a small result of a step' }),
  });

const document = (type: string) => ({
  nodes: [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    {
      id: '2',
      node_type: 'loop',
      name: 'Each',
      data: { fanout_array: '{{event.items}}', concurrent_batches: 100 },
    },
    { id: '3', node_type: type, name: 'Step', data: { value: '{{array_item.id}}' }, parent_id: '2' },
    { id: '4', node_type: type, name: 'Next', data: { value: '{{node.3.body.value}}' }, parent_id: '2' },
    { id: '5', node_type: 'step', name: 'Count', data: { value: '{{node.2.body.successful_iterations}}' } },
  ],
  edges: [
    { source: '1', target: '2' },
    { source: '3', target: '4' },
    { source: '2', target: '5' },
  ],
});

const admin = new Client({ connectionString: args.url });
await admin.connect();
const databaseName = `bench_${randomBytes(4).toString('hex')}`;
await admin.query(`create database ${databaseName}`);
const url = new URL(args.url);
url.pathname = `/${databaseName}`;
const pool = createPool({ url: url.href, max: 10 });
await migrate(pool);
const tenant = { orgId: newId(), environment: 'test' as const };
const linkedAccount = { id: newId(), accountId: 'bench' };
await pool.query(`insert into organization (id, name, slug) values ($1, 'Bench', 'bench')`, [tenant.orgId]);
await pool.query(
  `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'bench')`,
  [linkedAccount.id, tenant.orgId],
);
const engine = await createEngine(
  {
    pool,
    db: createDb(pool),
    clock: systemClock,
    log: pino({ level: 'warn' }),
    vault: testVault(),
    services: {} as NodeServices,
  },
  {
    databaseUrl: url.href,
    concurrency: 10,
    batchLimit: items,
    registry: nodeRegistry([
      ...builtInNodes.values(),
      stepType('step', 'none'),
      stepType('call', 'repeatable'),
    ]),
  },
);
engine.start();

async function run(type: string): Promise<void> {
  const payload = { items: Array.from({ length: items }, (_, id) => ({ id, name: 'an item of the list' })) };
  const gc = globalThis.gc;
  gc?.();
  const before = process.memoryUsage().heapUsed;
  let most = 0;
  const watching = setInterval(() => {
    gc?.();
    most = Math.max(most, process.memoryUsage().heapUsed - before);
  }, 100);
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const { executionId } = await engine.startExecution(tenant, {
    workflowId: newId(),
    document: document(type),
    linkedAccount,
    configId: 'bench',
    source: 'api_call',
    payload,
  });
  for (;;) {
    const { rows } = await pool.query<{ state: string; ms: number }>(
      `select state, extract(epoch from finished_at - started_at) * 1000 as ms from execution where id = $1`,
      [executionId],
    );
    if (rows[0]?.state === 'completed') break;
    if (rows[0]?.state === 'errored') throw new Error('The loop failed.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  clearInterval(watching);
  const conditions = `${items} items, two nodes each (${type}), 100 at a time`;
  const seconds = (performance.now() - startedAt) / 1_000;
  process.stdout.write(`${figureLine(figure('loop', items / seconds, 'items/s', conditions))}\n`);
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuSeconds = (user + system) / 1_000_000;
  process.stdout.write(
    `${figureLine(figure('loop of one core', items / cpuSeconds, 'items/s', `${conditions}, this process's time only`))}\n`,
  );
  process.stdout.write(`${figureLine(figure('loop memory', most / 1024 / 1024, 'MiB', conditions))}\n`);
}

try {
  await run('step');
  await run('step');
  await run('call');
} finally {
  await engine.drain(1_000);
  await pool.end();
  await admin.query(`drop database ${databaseName} with (force)`);
  await admin.end();
}
