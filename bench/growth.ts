import type { Pool } from 'pg';
import { openEmbeddedPostgres } from '../packages/server/src/db/embedded/index.ts';
import { createPool } from '../packages/server/src/db/pool.ts';
import { signInToConsole, type Console } from '../tests/console.ts';
import { startInlay, until, type Answer, type RunningInlay } from '../tests/inlay.ts';
import { figure, type Figure } from './figure.ts';
import { Latencies } from './load.ts';
import { publishFiveNodes } from './workflow.ts';

const sizes = [1_000, 10_000, 100_000];
const fullSizes = [...sizes, 1_000_000];
const callsOf = 60;

/**
 * Lists and details of the execution log as it grows: real executions of five nodes, copied in the database until
 * there are a hundred thousand, in full a million, spread over 24 days and a thousand linked accounts; one in a hundred failed.
 */
export async function growth({ isFull }: { readonly isFull: boolean }): Promise<readonly Figure[]> {
  const inlay = await startInlay({ env: { INLAY_RATE_LIMIT: '0', INLAY_ACCOUNT_RATE_LIMIT: '0' } });
  const postgres = await openEmbeddedPostgres(inlay.dataDir);
  const pool = createPool({ url: postgres.url, max: 2 });
  try {
    const model = await modelExecution(inlay);
    const dashboard = await signInToConsole(inlay);
    await pool.query(`select inlay_make_partitions(now() - interval '28 days', 6)`);
    const figures: Figure[] = [];
    let stored = 1;
    for (const size of isFull ? fullSizes : sizes) {
      await fill(pool, model, stored, size);
      stored = size;
      // As autovacuum would have done it by then: rows came over weeks, not in minutes.
      await pool.query('vacuum (analyze) execution, journal');
      figures.push(...(await measure(inlay, dashboard, pool, size)));
    }
    return figures;
  } finally {
    await pool.end();
    await inlay.stop();
  }
}

async function modelExecution(inlay: RunningInlay): Promise<string> {
  const workflowId = await publishFiveNodes(inlay, 'rule');
  const { linkedAccountId } = inlay.demo;
  const started = await inlay.call('POST', `/api/v2/public/workflow/${workflowId}/execute`, {
    linkedAccountId,
    body: { n: 7, note: 'x'.repeat(160) },
  });
  const id = started.body.execution_id as string;
  const route = `/api/v2/public/execution/${id}`;
  const isOver = async () =>
    (await inlay.call('GET', route, { linkedAccountId })).body.status === 'COMPLETED';
  await until(isOver, { what: 'the model execution to finish' });
  return id;
}

const chunk = 20_000;

/** Copies the model with its journal. Every tenth copy stays with its linked account, the others go to 999 more. */
async function fill(pool: Pool, model: string, from: number, to: number): Promise<void> {
  const columns = async (table: string, replaced: readonly string[]): Promise<string> => {
    const { rows } = await pool.query<{ name: string }>(
      `select column_name as name from information_schema.columns
       where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER' order by ordinal_position`,
      [table],
    );
    return rows
      .map(({ name }) => `"${name}"`)
      .filter((name) => !replaced.includes(name))
      .join(', ');
  };
  const ofExecution = await columns('execution', [
    '"id"',
    '"linked_account_id"',
    '"account_id"',
    '"state"',
    '"created_at"',
  ]);
  const ofJournal = await columns('journal', ['"execution_id"']);
  // Ids as the program makes them: 12 hex digits of milliseconds, 12 that count.
  const id = `lpad(to_hex(floor(extract(epoch from now() - interval '24 days') * 1000)::bigint + n * 2000), 12, '0')
    || lpad(to_hex(n), 12, '0')`;
  for (let begin = from; begin < to; begin += chunk) {
    const end = Math.min(begin + chunk, to) - 1;
    await pool.query(
      `insert into execution (id, linked_account_id, account_id, state, created_at, ${ofExecution})
       select ${id}, case when n % 10 = 0 then m.linked_account_id else 'copy' || n % 999 end,
         case when n % 10 = 0 then m.account_id else 'copy' || n % 999 end,
         case when n % 100 = 0 then 'errored' else m.state end, now() - interval '24 days' + n * interval '2 seconds',
         ${ofExecution}
       from (select * from execution where id = $1) m, generate_series($2::bigint, $3::bigint) n`,
      [model, begin, end],
    );
    await pool.query(
      `insert into journal (execution_id, ${ofJournal})
       select ${id}, ${ofJournal}
       from (select * from journal where execution_id = $1) m, generate_series($2::bigint, $3::bigint) n`,
      [model, begin, end],
    );
  }
}

type Ask = (route: string) => Promise<Answer>;

/** What people look at: in the dashboard all accounts, in the API one, which has a tenth of everything. */
const views = {
  'first-page': 'executions?limit=20',
  failed: 'executions?limit=20&status=errored',
  stopped: 'executions?limit=20&status=stopped',
  'page-50': 'executions?limit=20&page=50',
  'of-one-account': 'limit=20',
  'of-one-account-failed': 'limit=20&status=ERRORED',
  'of-one-account-by-name': 'limit=20&workflow_name=five',
};

async function measure(inlay: RunningInlay, dashboard: Console, pool: Pool, size: number): Promise<Figure[]> {
  const stored = `${size} stored executions of 5 nodes`;
  const { linkedAccountId } = inlay.demo;
  const asAccount: Ask = (query) =>
    inlay.call('GET', `/api/v2/public/execution${query}`, { linkedAccountId });
  const asConsole: Ask = (route) => dashboard('GET', route);
  const figures: Figure[] = [];
  for (const [view, route] of Object.entries(views)) {
    const latencies = route.startsWith('executions')
      ? await timed(asConsole, route)
      : await timed(asAccount, `?${route}`);
    const name = `growth.list.${view}.${size}`;
    figures.push(
      figure(`${name}.p50`, latencies.quantile(0.5), 'ms', stored),
      figure(`${name}.p99`, latencies.quantile(0.99), 'ms', `${stored}, ${latencies.count} calls`),
    );
  }
  const newest = (await asAccount('?limit=1')).body.docs[0]._id as string;
  const detail = await timed(asAccount, `/${newest}`);
  figures.push(figure(`growth.detail.${size}.p50`, detail.quantile(0.5), 'ms', stored));
  const { rows } = await pool.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(c.oid)) as bytes from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('execution'::regclass, 'journal'::regclass)`,
  );
  figures.push(
    figure(
      `growth.disk.${size}`,
      Number(rows[0]!.bytes) / size / 1_024,
      'KB/execution',
      `${stored}, 0.2 KB payload`,
    ),
  );
  return figures;
}

async function timed(ask: Ask, route: string): Promise<Latencies> {
  const taken: number[] = [];
  for (let call = 0; call < callsOf + 3; call += 1) {
    const sent = performance.now();
    const { status, body } = await ask(route);
    if (status !== 200) throw new Error(JSON.stringify(body));
    if (call >= 3) taken.push(performance.now() - sent);
  }
  return new Latencies(taken);
}
