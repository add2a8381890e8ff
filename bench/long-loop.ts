import { openEmbeddedPostgres } from '../packages/server/src/db/embedded/index.ts';
import { createPool } from '../packages/server/src/db/pool.ts';
import { startInlay, type RunningInlay } from '../tests/inlay.ts';
import { figure, type Figure } from './figure.ts';
import { machineLimits } from './machine.ts';
import { peakMemory, residentMb } from './memory.ts';
import { publish } from './workflow.ts';

const lengths = [10_000, 100_000];
const sampleEveryMs = 100;

/** One execution with one long loop: items a second, and what the whole process holds while it runs. */
export async function longLoop(): Promise<readonly Figure[]> {
  const inlay = await startInlay({ env: { INLAY_BATCH_LIMIT: String(Math.max(...lengths)) } });
  try {
    const postgres = await openEmbeddedPostgres(inlay.dataDir);
    const figures: Figure[] = [];
    await runLoop(inlay, postgres.url, 1_000); // code is warm from here on
    for (const length of lengths) {
      const limits = await machineLimits(`before-loop-${length}`, inlay.dataDir, postgres.url);
      const memory = await peakMemory(inlay.child.pid!);
      const { seconds, samples } = await runLoop(inlay, postgres.url, length);
      const conditions = `one execution, one loop of ${length} items, two rules each, 100 at a time, full logs`;
      const before = { name: 'resident before', value: memory.beforeMb };
      const half = Math.floor(samples.length / 2);
      figures.push(
        ...limits.figures,
        figure(`loop.items.${length}`, length / seconds, 'items/s', conditions, limits.rows),
        figure(`loop.peak-memory.${length}`, await memory.peakMb(), 'MB', conditions, before),
        figure(
          `loop.memory-second-half.${length}`,
          mean(samples.slice(half)),
          'MB',
          `${conditions}; resident, mean of the samples`,
          { name: 'first half', value: mean(samples.slice(0, half)) },
        ),
      );
    }
    return figures;
  } finally {
    await inlay.stop();
  }
}

async function runLoop(
  inlay: RunningInlay,
  databaseUrl: string,
  length: number,
): Promise<{ readonly seconds: number; readonly samples: readonly number[] }> {
  const { linkedAccountId } = inlay.demo;
  const rule = { match: 'all', conditions: [{ variable: '{{event.n}}', operator: 'exist', value: '' }] };
  const workflowId = await publish(inlay, linkedAccountId, {
    name: `A loop of ${length}`,
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
      {
        id: '2',
        node_type: 'loop',
        name: 'Each',
        data: { mode: 'fixed', count: length, concurrent_batches: 100 },
      },
      { id: '3', node_type: 'rule', name: 'First', data: rule, parent_id: '2' },
      { id: '4', node_type: 'rule', name: 'Second', data: rule, parent_id: '2' },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '3', target: '4', source_handle: 'true' },
    ],
  });
  const started = await inlay.call('POST', `/api/v2/public/workflow/${workflowId}/execute`, {
    linkedAccountId,
    headers: { slug: 'acme-crm' },
    body: { n: 1 },
  });
  if (started.status !== 200) throw new Error(JSON.stringify(started.body));
  const pool = createPool({ url: databaseUrl, max: 1 });
  const samples: number[] = [];
  try {
    for (;;) {
      const { rows } = await pool.query<{ state: string; seconds: number; error_text: string | null }>(
        `select state, extract(epoch from finished_at - started_at)::float as seconds, error_text
         from execution where id = $1`,
        [started.body.execution_id],
      );
      const [execution] = rows;
      if (execution?.state === 'completed') return { seconds: execution.seconds, samples };
      if (execution !== undefined && !['queued', 'running'].includes(execution.state))
        throw new Error(`The loop is ${execution.state}: ${execution.error_text}`);
      samples.push(await residentMb(inlay.child.pid!));
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    }
  } finally {
    await pool.end();
  }
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, one) => sum + one, 0) / samples.length;
}
