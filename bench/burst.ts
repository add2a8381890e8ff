import { openEmbeddedPostgres } from '../packages/server/src/db/embedded/index.ts';
import { createPool } from '../packages/server/src/db/pool.ts';
import { startInlay, until } from '../tests/inlay.ts';
import { createClient } from './client.ts';
import { figure, type Figure } from './figure.ts';
import { closedLoad, Latencies } from './load.ts';
import { machineLimits } from './machine.ts';
import { payloads } from './payload.ts';
import { startWorkers } from './workers.ts';
import { publishFiveNodes } from './workflow.ts';

const inBurst = 50_000;
const probes = 50;
const probeEveryMs = 100;
const payload = payloads['0.2-KB'];

/**
 * One account queues 50,000 executions, then another queues one now and again while workers work on the burst: the
 * time from its call to its first node, beside what the burst's own last execution waits.
 */
export async function burst(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const workers of [1, 3]) figures.push(...(await burstOn(workers)));
  return figures;
}

async function burstOn(workers: number): Promise<readonly Figure[]> {
  const inlay = await startInlay({
    args: ['--role', 'api'],
    env: { INLAY_RATE_LIMIT: '0', INLAY_ACCOUNT_RATE_LIMIT: '0' },
  });
  const client = createClient(inlay.url, 64);
  let running: ReturnType<typeof startWorkers> | undefined;
  const databaseUrl = (await openEmbeddedPostgres(inlay.dataDir)).url;
  const pool = createPool({ url: databaseUrl, max: 2 });
  try {
    const second = 'second-customer';
    const made = await inlay.call('POST', '/api/v2/public/linked-account', {
      body: { linked_account_id: second, name: 'Second' },
    });
    if (made.status !== 200) throw new Error(JSON.stringify(made.body));
    const workflows = new Map([
      [inlay.demo.linkedAccountId, await publishFiveNodes(inlay, 'rule')],
      [second, await publishFiveNodes(inlay, 'rule', second)],
    ]);
    const execute = async (account: string) => {
      const headers = { 'x-api-key': inlay.keys.test, linked_account_id: account, slug: 'acme-crm' };
      await client.send(
        'POST',
        `/api/v2/public/workflow/${workflows.get(account)}/execute`,
        headers,
        payload,
      );
    };
    const limits = await machineLimits(`before-burst.${workers}-workers`, inlay.dataDir, databaseUrl);
    let left = inBurst;
    while (left > 0) {
      const { latencies } = await closedLoad(() => execute(inlay.demo.linkedAccountId), {
        callers: 64,
        seconds: 2,
      });
      left -= latencies.count;
    }
    running = startWorkers(inlay, workers);
    const finished = async (account: string) => {
      const { rows } = await pool.query<{ waited_ms: number; done: number; first: Date; last: Date }>(
        `select extract(epoch from started_at - created_at)::float * 1000 as waited_ms, finished_at as last, started_at as first
         from execution where account_id = $1 and state = 'completed'`,
        [account],
      );
      return rows;
    };
    await until(async () => (await finished(inlay.demo.linkedAccountId)).length > 0, { timeoutMs: 60_000 });
    for (let n = 0; n < probes; n += 1) {
      await execute(second);
      await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
    }
    const { rows: queued } = await pool.query<{ left: number }>(`select count(*)::int as left from queue`);
    await until(async () => (await finished(second)).length === probes, { timeoutMs: 60_000 });
    await until(async () => (await pool.query('select from queue limit 1')).rowCount === 0, {
      timeoutMs: 300_000,
    });
    const mine = new Latencies((await finished(second)).map((row) => row.waited_ms));
    const others = await finished(inlay.demo.linkedAccountId);
    const theirs = new Latencies(others.map((row) => row.waited_ms));
    const seconds =
      (Math.max(...others.map((row) => row.last.getTime())) -
        Math.min(...others.map((row) => row.first.getTime()))) /
      1_000;
    const conditions = `${workers} worker process${workers === 1 ? '' : 'es'}, ${theirs.count} of another account queued before, ${queued[0]!.left} still queued after the last of ${probes} probes`;
    const reference = { name: "the burst's own, median", value: theirs.quantile(0.5) };
    return [
      ...limits.figures,
      figure(`burst.first-run.p50.${workers}-workers`, mine.quantile(0.5), 'ms', conditions, reference),
      figure(`burst.first-run.max.${workers}-workers`, mine.quantile(1), 'ms', conditions, reference),
      figure(
        `burst.finished.${workers}-workers`,
        theirs.count / seconds,
        '/s',
        `${conditions}, 5 nodes, 0.2 KB payload`,
        limits.rows,
      ),
    ];
  } finally {
    await client.close();
    await pool.end();
    await running?.stop();
    await inlay.stop();
  }
}
