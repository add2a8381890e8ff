import { openEmbeddedPostgres } from '../packages/server/src/db/embedded/index.ts';
import { createPool } from '../packages/server/src/db/pool.ts';
import { startInlay, until, type RunningInlay } from '../tests/inlay.ts';
import { createClient } from './client.ts';
import { figure, type Figure } from './figure.ts';
import { closedLoad } from './load.ts';
import { machineLimits, type MachineLimits } from './machine.ts';
import { peakMemory } from './memory.ts';
import { payloads, type PayloadSize } from './payload.ts';
import { startWorkers } from './workers.ts';
import { publishFiveNodes, type Middle } from './workflow.ts';

const middles: readonly Middle[] = ['rule', 'jsonata'];
const nodes = { rule: 'start, 3 rules, response', jsonata: 'start, rule, JSONata, rule, response' };

interface Variant {
  readonly middle: Middle;
  readonly size: PayloadSize;
}

/** Every payload with the cheapest nodes, and the others with the smallest payload. */
const variants: readonly Variant[] = [
  { middle: 'rule', size: '0.2-KB' },
  { middle: 'rule', size: '4-KB' },
  { middle: 'rule', size: '64-KB' },
  { middle: 'jsonata', size: '0.2-KB' },
];

/** A call that waits for five durable nodes. */
export async function syncExecution(): Promise<readonly Figure[]> {
  return withFiveNodes(async ({ inlay, execute, databaseUrl }) => {
    for (const middle of middles) {
      await closedLoad(() => execute({ middle, size: '0.2-KB' }, true), { callers: 4, seconds: 3 });
    }
    const limits = await machineLimits('before-sync-execution', inlay.dataDir, databaseUrl);
    const figures: Figure[] = [...limits.figures];
    const reference = { name: 'one-row commit, one connection', value: limits.commitMs };
    for (const variant of variants) {
      const { middle, size } = variant;
      for (const callers of size === '0.2-KB' ? [1, 16, 64, 1_000] : [16]) {
        const load = await closedLoad(() => execute(variant, true), { callers, seconds: 6 });
        const conditions = `${callers} callers over HTTP, 5 nodes (${nodes[middle]}), ${size} payload, ${load.latencies.count} executions`;
        const of = `${middle}.${callers}-callers.${size}`;
        figures.push(
          figure(`sync-execution.p50.${of}`, load.latencies.quantile(0.5), 'ms', conditions, reference),
          figure(`sync-execution.p99.${of}`, load.latencies.quantile(0.99), 'ms', conditions, reference),
          figure(`sync-execution.rate.${of}`, load.perSecond, '/s', conditions, {
            name: 'one-row commits, one connection',
            value: 1_000 / limits.commitMs,
          }),
        );
      }
    }
    return figures;
  });
}

/** Executions accepted and finished a second, with full logs, from the first call to the last one finished. */
export async function asyncExecutions(): Promise<readonly Figure[]> {
  return withFiveNodes(async (setting) => {
    const limits = await machineLimits('before-async-executions', setting.inlay.dataDir, setting.databaseUrl);
    const figures: Figure[] = [...limits.figures];
    for (const variant of variants) figures.push(...(await sustained(setting, limits, variant, 1)));
    // The program that takes the calls goes on working, two more work beside it.
    const more = startWorkers(setting.inlay, 2);
    try {
      await until(async () => (await liveWorkers(setting.databaseUrl)) === 3, { what: 'three workers' });
      figures.push(...(await sustained(setting, limits, { middle: 'rule', size: '0.2-KB' }, 3)));
    } finally {
      await more.stop();
    }
    return figures;
  });
}

async function sustained(
  { inlay, execute, databaseUrl }: Setting,
  limits: MachineLimits,
  variant: Variant,
  workers: number,
): Promise<readonly Figure[]> {
  const { middle, size } = variant;
  const idle = (what: string) => until(() => isIdle(databaseUrl), { timeoutMs: 300_000, what });
  await closedLoad(() => execute(variant, false), { callers: 16, seconds: 2 });
  await idle('the warm-up to finish');
  const before = await completed(databaseUrl);
  const memory = await peakMemory(inlay.child.pid!);
  const begun = performance.now();
  const load = await closedLoad(() => execute(variant, false), { callers: 64, seconds: 8 });
  await idle('all executions to finish');
  const seconds = (performance.now() - begun) / 1_000;
  const done = (await completed(databaseUrl)) - before;
  const of = `${middle}.${size}${workers === 1 ? '' : `.${workers}-workers`}`;
  const conditions = `${done} executions of 5 nodes (${nodes[middle]}), ${size} payload, full logs, ${workers} worker process${workers === 1 ? '' : 'es'}, HTTP callers on the same machine, until the last one finished`;
  return [
    figure(
      `async-executions.accepted.${of}`,
      load.perSecond,
      '/s',
      `64 callers over HTTP for 8 s, ${size} payload`,
      limits.rows,
    ),
    figure(`async-executions.finished.${of}`, done / seconds, '/s', conditions, limits.rows),
    figure(`async-executions.peak-memory.${of}`, await memory.peakMb(), 'MB', conditions, {
      name: 'resident before',
      value: memory.beforeMb,
    }),
  ];
}

interface Setting {
  readonly inlay: RunningInlay;
  readonly databaseUrl: string;
  readonly execute: (variant: Variant, isSync: boolean) => Promise<void>;
}

async function withFiveNodes<T>(measure: (setting: Setting) => Promise<T>): Promise<T> {
  const inlay = await startInlay({ env: { INLAY_RATE_LIMIT: '0', INLAY_ACCOUNT_RATE_LIMIT: '0' } });
  const client = createClient(inlay.url, 1_000);
  try {
    const postgres = await openEmbeddedPostgres(inlay.dataDir);
    const workflows = {
      rule: await publishFiveNodes(inlay, 'rule'),
      jsonata: await publishFiveNodes(inlay, 'jsonata'),
    };
    const headers = {
      'x-api-key': inlay.keys.test,
      linked_account_id: inlay.demo.linkedAccountId,
      slug: 'acme-crm',
    };
    return await measure({
      inlay,
      databaseUrl: postgres.url,
      execute: async ({ middle, size }, isSync) => {
        const payload = payloads[size];
        const route = `/api/v2/public/workflow/${workflows[middle]}/execute`;
        const text = await client.send(
          'POST',
          route,
          { ...headers, sync_execution: String(isSync) },
          payload,
        );
        if (!isSync) return;
        const answer = JSON.parse(text) as { return_value?: { n?: unknown } };
        if (answer.return_value?.n !== payload.n) throw new Error(`wrong answer: ${text}`);
      },
    });
  } finally {
    await client.close();
    await inlay.stop();
  }
}

/** Nothing is queued and nobody runs anything. Asked of the tables: an API call would be part of the load. */
async function isIdle(databaseUrl: string): Promise<boolean> {
  return (
    (await ask(databaseUrl, 'select count(*)::int as count from queue')) +
      (await ask(databaseUrl, 'select count(*)::int as count from execution where owner is not null')) ===
    0
  );
}

function completed(databaseUrl: string): Promise<number> {
  return ask(databaseUrl, `select count(*)::int as count from execution where state = 'completed'`);
}

function liveWorkers(databaseUrl: string): Promise<number> {
  return ask(databaseUrl, 'select count(*)::int as count from worker where is_alive and slots > 0');
}

async function ask(databaseUrl: string, count: string): Promise<number> {
  const pool = createPool({ url: databaseUrl, max: 1 });
  try {
    const { rows } = await pool.query<{ count: number }>(count);
    return rows[0]?.count ?? 0;
  } finally {
    await pool.end();
  }
}
