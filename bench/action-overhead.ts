import { signInToConsole } from '../tests/console.ts';
import { freePort, startInlay } from '../tests/inlay.ts';
import { startAcme } from './acme.ts';
import { createClient } from './client.ts';
import { figure, type Figure } from './figure.ts';
import { pairedLoad } from './load.ts';

const acmeKey = 'acme_key_demo_ada';

/** What an action call through Inlay adds to calling the provider directly: the same call both ways, in turn. */
export async function actionOverhead(): Promise<readonly Figure[]> {
  const port = await freePort();
  const [inlay, acme] = await Promise.all([
    startInlay({ env: { INLAY_EGRESS_ALLOW: `127.0.0.1:${port},[::1]:${port}` } }),
    startAcme(port),
  ]);
  const provider = createClient(acme.url, 16);
  const platform = createClient(inlay.url, 16);
  try {
    const owner = await signInToConsole(inlay);
    await owner('PATCH', 'apps/acme-crm', { body: { variables: { acme_base_url: acme.url } } });
    const account = { 'x-api-key': inlay.keys.test, linked_account_id: inlay.demo.linkedAccountId };
    await platform.send(
      'PUT',
      '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm',
      account,
      { apiKey: acmeKey },
    );
    const direct = async () => {
      await provider.send('GET', '/api/v1/users', { 'x-acme-key': acmeKey });
    };
    const through = async () => {
      const route = '/api/v2/integration-schema/acme-crm/actions/listUsers/execute';
      const answer = JSON.parse(await platform.send('POST', route, account, {})) as { node_status: string };
      if (answer.node_status !== 'Success') throw new Error(JSON.stringify(answer));
    };
    await pairedLoad(direct, through, { callers: 4, seconds: 3 });
    const figures: Figure[] = [];
    for (const callers of [1, 16]) {
      const { a, b } = await pairedLoad(direct, through, { callers, seconds: 8 });
      for (const [label, q] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ] as const) {
        figures.push(
          figure(
            `action-overhead.${label}.${callers}-callers`,
            b.quantile(q) - a.quantile(q),
            'ms',
            `${callers} callers, ${b.count} calls each way in turn, GET /users of Acme CRM on the same machine; difference of the two ${label}`,
            { name: 'the direct call', value: a.quantile(q) },
          ),
        );
      }
    }
    return figures;
  } finally {
    await Promise.all([provider.close(), platform.close()]);
    await inlay.stop();
    acme.stop();
  }
}
