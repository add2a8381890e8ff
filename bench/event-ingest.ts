import { openEmbeddedPostgres } from '../packages/server/src/db/embedded/index.ts';
import { startInlay } from '../tests/inlay.ts';
import { createClient } from './client.ts';
import { figure, type Figure } from './figure.ts';
import { closedLoad, openLoad } from './load.ts';
import { machineLimits } from './machine.ts';
import { payloads, payloadSizes, type PayloadSize } from './payload.ts';

/** Events accepted durably: the answer comes after the commit. Nobody listens, so this is the door alone. */
export async function eventIngest(): Promise<readonly Figure[]> {
  const inlay = await startInlay({ env: { INLAY_RATE_LIMIT: '0', INLAY_ACCOUNT_RATE_LIMIT: '0' } });
  const client = createClient(inlay.url, 1_000);
  try {
    const made = await inlay.call('POST', '/api/v2/public/application/event', {
      body: { name: 'Bench', response: { n: 1 } },
    });
    if (made.status !== 200) throw new Error(JSON.stringify(made.body));
    const headers = { 'x-api-key': inlay.keys.test, linked_account_id: inlay.demo.linkedAccountId };
    const fire = async (size: PayloadSize) => {
      await client.send('POST', '/api/v2/public/event/trigger', headers, {
        event: 'Bench',
        payload: payloads[size],
      });
    };
    await closedLoad(() => fire('0.2-KB'), { callers: 16, seconds: 2 });
    const postgres = await openEmbeddedPostgres(inlay.dataDir);
    const limits = await machineLimits('before-event-ingest', inlay.dataDir, postgres.url);
    const reference = limits.rows;
    const figures: Figure[] = [...limits.figures];
    for (const size of payloadSizes) {
      for (const callers of size === '0.2-KB' ? [1, 16, 64, 1_000] : [64]) {
        const load = await closedLoad(() => fire(size), { callers, seconds: 5 });
        const conditions = `${callers} callers over HTTP on the same machine, ${size} payload`;
        const of = `${callers}-callers.${size}`;
        figures.push(
          figure(`event-ingest.most.${of}`, load.perSecond, '/s', conditions, reference),
          figure(`event-ingest.p99.${of}`, load.latencies.quantile(0.99), 'ms', conditions),
        );
      }
    }
    const steady = await openLoad(() => fire('0.2-KB'), { perSecond: 1_000, seconds: 8 });
    const flush = { name: 'one 8 KiB flush', value: limits.flushMs };
    const conditions = '1,000 events/s for 8 s, from the moment each was due';
    figures.push(
      figure('event-ingest.p50.at-1000', steady.latencies.quantile(0.5), 'ms', conditions, flush),
      figure('event-ingest.p99.at-1000', steady.latencies.quantile(0.99), 'ms', conditions, flush),
    );
    return figures;
  } finally {
    await client.close();
    await inlay.stop();
  }
}
