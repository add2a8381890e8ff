import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import { createTestApi, type TestApi } from '#api/testing';
import { connectWithKeys, saveAppSettings } from '#connections/index';
import { systemClock } from '#domain/clock';
import type { LinkedAccountRef } from '#domain/linked-account';

let api: TestApi;
let crm: AcmeCrm;
let account: LinkedAccountRef;

before(async () => {
  [api, crm] = await Promise.all([createTestApi(), startAcmeCrm({ clock: systemClock })]);
  const { tenant } = api.org;
  await saveAppSettings(api.deps, tenant, 'acme-crm', {
    isEnabled: true,
    variables: { acme_base_url: crm.url },
  });
  account = await api.addLinkedAccount('app-http');
  const fields = { apiKey: 'acme_key_demo_ada' };
  await connectWithKeys(api.deps, { tenant, linkedAccount: account, slug: 'acme-crm', fields });
});
after(async () => {
  await crm.close();
  await api.close();
});

async function ask(data: object, linkedAccount: LinkedAccountRef = account) {
  const answer = await api.deps.engine.runSync(api.org.tenant, {
    workflowId: 'app-http-test',
    document: {
      nodes: [
        { id: '1', node_type: 'start' },
        { id: '2', node_type: 'app_http', data: { app: 'acme-crm', ...data } },
      ],
      edges: [{ source: '1', target: '2' }],
    },
    linkedAccount,
    configId: linkedAccount.accountId,
    source: 'api_call',
    payload: { name: 'Ada' },
    timeoutMs: 10_000,
  });
  const { nodes } = await api.deps.engine.read(api.org.tenant, answer.executionId);
  return { node: nodes.find(({ nodeId }) => nodeId === '2')!, nodes };
}

test("a free request goes out with the account's credential, which the log never shows", async () => {
  const made = await ask({ method: 'POST', path: '/contacts', body: { name: '{{event.name}}' } });
  assert.equal(made.node.status, 'success', JSON.stringify(made.node.error));
  assert.equal((made.node.output as { body: { name: string } }).body.name, 'Ada');
  assert.ok(!JSON.stringify(made.nodes).includes('acme_key_demo_ada'));
});

test('a request that would leave the hosts of the app is refused, and so is one of an account without connection', async () => {
  const away = await ask({ path: 'https://evil.example/steal' });
  assert.match(away.node.error!.message, /may not go to "https:\/\/evil\.example"/);
  const stranger = await ask({ path: '/contacts' }, await api.addLinkedAccount('nobody'));
  assert.match(stranger.node.error!.message, /Acme CRM/);
});

test('a refusal of the app fails the node with its status, and wrong settings name their field', async () => {
  assert.equal((await ask({ path: '/nowhere' })).node.statusCode, 404);
  assert.match((await ask({ path: '' })).node.error!.message, /path: write the path/);
  assert.match((await ask({ path: '/x', method: 'FETCH' })).node.error!.message, /method: use GET/);
});
