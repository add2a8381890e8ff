import { startInlay } from '../tests/inlay.ts';
import { createClient } from './client.ts';
import { figure, type Figure } from './figure.ts';
import { closedLoad, openLoad } from './load.ts';
import { flushesPerSecond } from './machine.ts';

/** Events accepted durably: the answer comes after the commit. Nobody listens, so this is the door alone. */
export async function eventIngest(): Promise<readonly Figure[]> {
  const inlay = await startInlay();
  const client = createClient(inlay.url, 128);
  try {
    const made = await inlay.call('POST', '/api/v2/public/application/event', {
      body: { name: 'Bench', response: { n: 1 } },
    });
    if (made.status !== 200) throw new Error(JSON.stringify(made.body));
    const headers = { 'x-api-key': inlay.keys.test, linked_account_id: inlay.demo.linkedAccountId };
    const fire = async () => {
      await client.send('POST', '/api/v2/public/event/trigger', headers, {
        event: 'Bench',
        payload: { n: 1, note: 'x'.repeat(160) },
      });
    };
    await closedLoad(fire, { callers: 16, seconds: 2 });
    const flushes = await flushesPerSecond(inlay.dataDir);
    const most = await closedLoad(fire, { callers: 128, seconds: 8 });
    const steady = await openLoad(fire, { perSecond: 1_000, seconds: 8 });
    const flush = { name: 'one 8 KiB flush', value: 1_000 / flushes };
    const conditions = '1,000 events/s for 8 s, from the moment each was due';
    return [
      figure(
        'event-ingest.most',
        most.perSecond,
        '/s',
        '128 callers over HTTP on the same machine, 0.2 KB payload',
        { name: '8 KiB flushes, one after the other', value: flushes },
      ),
      figure('event-ingest.p50.at-1000', steady.latencies.quantile(0.5), 'ms', conditions, flush),
      figure('event-ingest.p99.at-1000', steady.latencies.quantile(0.99), 'ms', conditions, flush),
    ];
  } finally {
    await client.close();
    await inlay.stop();
  }
}
