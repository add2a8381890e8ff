import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createTestDatabase, type TestDatabase } from '../../packages/server/src/db/testing.ts';
import { newId } from '../../packages/server/src/domain/ids.ts';
import { openCrashWorker } from './crash-worker.ts';

/** A database with workflows, a sink that counts effects, and processes with the real engine to kill. */
export interface CrashBench extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly tenant: { readonly orgId: string; readonly environment: 'test' };
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  /** How often each idempotency key arrived. */
  readonly effects: ReadonlyMap<string, number>;
  readonly sinkUrl: string;
  /** What all workers said so far. */
  log(): string;
  /** How long the sink takes to answer. */
  sinkDelayMs: number;
  /** From now on the sink answers nobody, until the function is called that this returns. */
  holdSink(): () => void;
  startWorker(options?: { crashAt?: string; start?: readonly string[]; concurrency?: number }): WorkerProcess;
  /** Another worker, in this very process: for whoever is not to be killed, a process of its own proves nothing. */
  startSurvivor(): Promise<void>;
  /** Waits until every execution has ended, and returns them. */
  allEnded(timeoutMs: number): Promise<EndedExecution[]>;
}

export interface WorkerProcess {
  readonly ready: Promise<void>;
  /** Resolves with the signal that ended it. */
  readonly exited: Promise<string | null>;
  kill(signal?: NodeJS.Signals): void;
}

export interface EndedExecution {
  readonly id: string;
  readonly workflow_id: string;
  readonly state: string;
  readonly error_text: string | null;
  /** Final outcomes by node, inside a loop by iteration as well: `{ '2': 1, '3 in 2:0': 1, … }`. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Three calls to the outside in a row, then an answer. A `nap` calls out, and suspends before it goes on. */
const chainOf = (type: string) => ({
  nodes: [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    ...['2', '3', '4'].map((id) => ({ id, node_type: type, name: `Call ${id}`, data: {} })),
    { id: '5', node_type: 'response', name: 'Answer', data: { data: '{{node.4.body.key}}' } },
  ],
  edges: ['1', '2', '3', '4'].map((source) => ({ source, target: String(Number(source) + 1) })),
});

/** A loop over five items, two calls to the outside each, two items at a time. */
const loopOf = (type: string) => ({
  nodes: [
    { id: '1', node_type: 'start', name: 'Start', data: {} },
    {
      id: '2',
      node_type: 'loop',
      name: 'Each',
      data: { fanout_array: [1, 2, 3, 4, 5], concurrent_batches: 2, output_data: '{{node.4.body.key}}' },
    },
    { id: '3', node_type: type, name: 'First', data: {}, parent_id: '2' },
    { id: '4', node_type: type, name: 'Second', data: {}, parent_id: '2' },
    { id: '5', node_type: 'response', name: 'Answer', data: { data: '{{node.2.body.loop_results}}' } },
  ],
  edges: [
    { source: '1', target: '2' },
    { source: '3', target: '4' },
    { source: '2', target: '5' },
  ],
});

export async function openCrashBench(): Promise<CrashBench> {
  const database = await createTestDatabase();
  const tenant = { orgId: newId(), environment: 'test' as const };
  const linkedAccount = { id: newId(), accountId: 'crash' };
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'Crash', 'crash')`, [
    tenant.orgId,
  ]);
  const chains = ['repeatable', 'once', 'nap'].map((type) => [type, chainOf(type)] as const);
  for (const [id, document] of [...chains, ['loop', loopOf('repeatable')] as const]) {
    await database.pool.query(
      `insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
       values ($1, $1 || '-draft', $2, 'test', $1, '{}', 1)`,
      [id, tenant.orgId],
    );
    await database.pool.query(
      `insert into workflow_version (id, org_id, environment, workflow_id, version, document)
       values ($1, $2, 'test', $1, 1, $3)`,
      [id, tenant.orgId, JSON.stringify(document)],
    );
  }

  const effects = new Map<string, number>();
  let held = Promise.resolve();
  const workers = new Set<ChildProcess>();
  const survivors: { end(): Promise<void> }[] = [];
  let log = '';
  const server = createServer((request, response) => {
    const key = String(request.headers['idempotency-key']);
    effects.set(key, (effects.get(key) ?? 0) + 1);
    setTimeout(() => void held.then(() => response.end('{}')), bench.sinkDelayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sinkUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const bench: CrashBench = {
    database,
    tenant,
    linkedAccount,
    effects,
    sinkUrl,
    sinkDelayMs: 0,
    log: () => log,
    holdSink() {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      return gate.resolve;
    },
    startWorker({ crashAt, start, concurrency } = {}) {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, 'worker-program.ts')], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
          DATABASE_URL: database.url,
          SINK_URL: sinkUrl,
          ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }),
          ...(start === undefined
            ? {}
            : { START: JSON.stringify({ tenant, linkedAccount, workflowIds: start }) }),
          ...(concurrency === undefined ? {} : { CONCURRENCY: String(concurrency) }),
        },
      });
      workers.add(child);
      const exited = once(child, 'exit').then(([, signal]) => {
        workers.delete(child);
        return signal as string | null;
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (log += text));
      }
      const ready = once(child.stdout, 'data').then(() => undefined);
      return { ready, exited, kill: (signal = 'SIGKILL') => void child.kill(signal) };
    },
    async startSurvivor() {
      const write = (text: string): void => void (log += text);
      survivors.push(
        await openCrashWorker({ databaseUrl: database.url, sinkUrl, concurrency: 500 }, { write }),
      );
    },
    async allEnded(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const { rows } = await database.pool.query<{ count: number }>(
          `select count(*)::int as count from execution where state in ('queued', 'running', 'waiting')`,
        );
        if (rows[0]?.count === 0) return readEnded(database);
        if (Date.now() > deadline)
          throw new Error(`${rows[0]?.count} executions have not ended after ${timeoutMs} ms.\n${log}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async [Symbol.asyncDispose]() {
      const exits = Array.from(workers, (worker) => once(worker, 'exit'));
      for (const worker of workers) worker.kill('SIGKILL');
      await Promise.all([...exits, ...survivors.map((survivor) => survivor.end())]);
      server.closeAllConnections();
      server.close();
      await database.drop();
    },
  };
  return bench;
}

async function readEnded(database: TestDatabase): Promise<EndedExecution[]> {
  const { rows } = await database.pool.query<EndedExecution>(
    `select e.id, e.workflow_id, e.state, e.error_text,
       (select coalesce(json_object_agg(node, outcomes), '{}') from (
          select node_id || case when batch = '' then '' else ' in ' || batch end as node, count(*) as outcomes
          from journal j
          where j.execution_id = e.id and kind <> 'start' and status <> 'retrying' group by 1) n) as outcomes
     from execution e order by e.id`,
  );
  return rows;
}
