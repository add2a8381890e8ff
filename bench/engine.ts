import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { pino } from 'pino';
import { z } from 'zod';
import { createDb, createPool } from '../packages/server/src/db/pool.ts';
import { migrate } from '../packages/server/src/db/migrate.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { newId } from '../packages/server/src/domain/ids.ts';
import { createEngine, nodeRegistry, type NodeServices } from '../packages/server/src/engine/index.ts';
import { testVault } from '../packages/server/src/vault/testing.ts';
import { done, nodeType } from '../packages/server/src/engine/nodes/node-type.ts';
import { response } from '../packages/server/src/engine/nodes/response.ts';
import { start } from '../packages/server/src/engine/nodes/start.ts';
import { figure, figureLine, type Figure } from './figure.ts';
import { closedLoad, openLoad } from './load.ts';

/**
 * The engine beside the limit of the machine it runs on: sync executions of five nodes (latency), async ones
 * (throughput) and events, and multi-row inserts of the same number of rows into a plain table in the same run.
 *
 * node bench/engine.ts --url postgres://… [--callers 16] [--seconds 5] [--json]
 */
const { values: args } = parseArgs({
  options: {
    url: { type: 'string' },
    callers: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
if (args.url === undefined) throw new Error('Give --url: a PostgreSQL where a database may be created.');
const seconds = Number(args.seconds);

const step = nodeType({
  type: 'step',
  label: 'Step',
  group: 'data',
  help: 'Counts.',
  effect: 'none',
  fields: {},
  settings: z.object({ n: z.unknown() }),
  run: ({ n }) => done({ n, text: 'a small result of a step' }),
});
/** The same with an attempt recorded before it and its commit awaited, as a call to an app is. */
const call = nodeType({
  ...step,
  type: 'call',
  effect: 'repeatable',
  run: ({ n }) => done({ n, text: 'answer' }),
});

const document = (type: string) => ({
  nodes: [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    ...['2', '3', '4'].map((id) => ({ id, node_type: type, name: `Step ${id}`, data: { n: '{{event.n}}' } })),
    { id: '5', node_type: 'response', name: 'Answer', data: { data: { n: '{{node.4.body.n}}' } } },
  ],
  edges: ['1', '2', '3', '4'].map((source) => ({ source, target: String(Number(source) + 1) })),
});

function report(measured: Figure): void {
  process.stdout.write(args.json ? `${JSON.stringify(measured)}\n` : `${figureLine(measured)}\n`);
}

const admin = new Client({ connectionString: args.url });
await admin.connect();
const databaseName = `bench_${randomBytes(4).toString('hex')}`;
await admin.query(`create database ${databaseName}`);
const url = new URL(args.url);
url.pathname = `/${databaseName}`;
const pool = createPool({ url: url.href, max: 20 });
await migrate(pool);
const db = createDb(pool);
const tenant = { orgId: newId(), environment: 'test' as const };
await pool.query(`insert into organization (id, name, slug) values ($1, 'Bench', 'bench')`, [tenant.orgId]);
const account = { id: newId(), accountId: 'bench' };
await pool.query(
  `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'bench')`,
  [account.id, tenant.orgId],
);
for (const [id, type] of [
  ['pure', 'step'],
  ['calls', 'call'],
] as const) {
  await pool.query(
    `insert into workflow (id, draft_id, org_id, environment, linked_account_id, name, draft, published_version, trigger_kind, trigger_event)
     values ($1, $1 || '-draft', $2, 'test', $3, $1, '{}', 1, 'event', $1)`,
    [id, tenant.orgId, account.id],
  );
  await pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document) values ($1, $2, 'test', $1, 1, $3)`,
    [id, tenant.orgId, JSON.stringify(document(type))],
  );
}

const engine = await createEngine(
  {
    pool,
    db,
    clock: systemClock,
    log: pino({ level: 'warn' }),
    vault: testVault(),
    services: {} as NodeServices,
  },
  { databaseUrl: url.href, concurrency: 500, registry: nodeRegistry([start, response, step, call]) },
);
const startOf = (workflowId: string, n: number) => ({
  workflowId,
  version: 1,
  linkedAccount: account,
  configId: 'bench',
  source: 'api_call' as const,
  payload: { n, who: 'a customer', items: [1, 2, 3] },
});

/** {@link closedLoad} with numbered calls. */
function load(callers: number, work: (n: number) => Promise<unknown>) {
  let n = 0;
  return closedLoad(
    async () => {
      await work((n += 1));
    },
    { callers, seconds },
  );
}

async function accept(event: string, n: number): Promise<void> {
  await engine.acceptEvent(tenant, { event, payload: { n }, linkedAccount: account, configId: 'bench' });
}

async function finishedCount(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from execution where state = 'completed'`,
  );
  return rows[0]!.count;
}

/** The machine's own limit: rows like the journal's, in large inserts, each made durable. */
async function insertLimit(): Promise<number> {
  await pool.query('create table plain (id text, seq int, node text, output json, at timestamptz)');
  const rows = 1_000;
  const ids = Array.from({ length: rows }, () => newId());
  const output = Array.from({ length: rows }, () => '{"n":1,"text":"a small result of a step"}');
  const { perSecond } = await load(2, () =>
    pool.query(
      'insert into plain select u.id, 1, $3, u.output, now() from unnest($1::text[], $2::json[]) as u(id, output)',
      [ids, output, '2'],
    ),
  );
  return perSecond * rows;
}

try {
  const limit = await insertLimit();
  report(figure('insert limit', limit, 'rows/s', '1000-row inserts, 2 connections'));
  for (const workflow of ['pure', 'calls']) {
    for (const callers of [1, Number(args.callers)]) {
      for (let n = 0; n < 100; n += 1)
        await engine.runSync(tenant, { ...startOf(workflow, n), timeoutMs: 10_000 });
      const { perSecond, latencies } = await load(callers, (n) =>
        engine.runSync(tenant, { ...startOf(workflow, n), timeoutMs: 10_000 }),
      );
      const conditions = `5 nodes (${workflow}), ${callers} callers`;
      report(figure('sync p50', latencies.quantile(0.5), 'ms', conditions));
      report(figure('sync p99', latencies.quantile(0.99), 'ms', conditions));
      report(figure('sync rate', perSecond, '/s', conditions));
    }
  }
  for (const workflow of ['pure', 'calls']) {
    const before = await finishedCount();
    engine.start();
    const startedAt = performance.now();
    const { perSecond, latencies } = await load(64, (n) =>
      engine.startExecution(tenant, startOf(workflow, n)),
    );
    const finishedMeanwhile = (await finishedCount()) - before;
    const meanwhileS = (performance.now() - startedAt) / 1_000;
    while ((await finishedCount()) < before + latencies.count)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const wholeS = (performance.now() - startedAt) / 1_000;
    const conditions = `5 nodes (${workflow}), 64 callers starting, same process`;
    report(figure('async accepted', perSecond, '/s', conditions));
    report(figure('async finished while starting', finishedMeanwhile / meanwhileS, '/s', conditions));
    const rowsEach = workflow === 'pure' ? 7 : 10;
    report(
      figure('async start to last finish', latencies.count / wholeS, '/s', conditions, {
        name: `the insert limit at ${rowsEach} rows an execution`,
        value: limit / rowsEach,
      }),
    );
  }
  for (const event of ['nobody-listens', 'pure']) {
    const { perSecond, latencies } = await load(64, (n) => accept(event, n));
    const conditions = `event "${event}", 64 callers`;
    report(figure('events accepted', perSecond, '/s', conditions));
    report(figure('event p99', latencies.quantile(0.99), 'ms', conditions));
  }
  let sent = 0;
  const { latencies } = await openLoad(() => accept('pure', (sent += 1)), { perSecond: 1_000, seconds });
  const conditions = '1,000 events/s, one workflow listens and runs';
  report(figure('event p50 paced', latencies.quantile(0.5), 'ms', conditions));
  report(figure('event p99 paced', latencies.quantile(0.99), 'ms', conditions));
} finally {
  await engine.drain(10_000);
  await pool.end();
  await admin.query(`drop database ${databaseName} with (force)`);
  await admin.end();
}
