/** What somebody meets who starts Inlay for the first time: the demo works, and `status` says where everything is. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { demoApiKey } from '../examples/acme-crm/src/seed.ts';
import { startInlay, until, type RunningInlay } from './inlay.ts';

let inlay: RunningInlay;
before(async () => {
  inlay = await startInlay();
});
after(() => inlay?.stop());

interface Status {
  readonly demo: { readonly linkedAccountId: string; readonly portalUrl: string };
  readonly workers: readonly unknown[];
  readonly queue: { readonly depth: number };
}

async function status(): Promise<Status> {
  const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');
  const env = { ...process.env, INLAY_DATA_DIR: inlay.dataDir };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'status', '--json'], { env });
  return JSON.parse(stdout) as Status;
}

/** What the portal page does first, in a browser that has opened no link before. */
async function opens(portalUrl: string): Promise<boolean> {
  const answer = await fetch(`${inlay.url}/api/portal/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: inlay.url },
    body: JSON.stringify({ token: new URL(portalUrl).pathname.split('/').at(-1) }),
  });
  return answer.status === 200;
}

test('status names all addresses, both keys and a portal link that nobody has opened', async () => {
  const { workers, queue, ...first } = await status();
  assert.equal(workers.length, 1);
  assert.equal(queue.depth, 0);
  assert.deepEqual(
    { ...first, demo: { ...first.demo, portalUrl: undefined } },
    {
      running: true,
      api: inlay.url,
      dashboard: inlay.url,
      portal: `${inlay.url}/connect`,
      acmeCrm: inlay.acmeUrl,
      database: 'embedded',
      version: '0.1.0',
      keys: inlay.keys,
      demo: { linkedAccountId: 'demo-customer', portalUrl: undefined },
    },
  );
  const second = await status();
  const links = [inlay.demo.portalUrl, first.demo.portalUrl, second.demo.portalUrl];
  assert.equal(new Set(links).size, 3);
  for (const link of links) assert.ok(await opens(link), link);
  assert.equal(await opens(first.demo.portalUrl), false, 'another browser came later');
});

test('the demo: connect, choose, switch on, send the event, and the contact is in the CRM', async () => {
  const linkedAccountId = inlay.demo.linkedAccountId;
  const call = async (method: string, route: string, body?: unknown) => {
    const answer = await inlay.call(method, `/api/v2/public/${route}`, { linkedAccountId, body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  await call('PUT', 'linked-account/integration/save-key-credentials/acme-crm', { apiKey: demoApiKey });

  const config = await call('POST', 'config', { slug: 'acme-crm' });
  const [workflow, ...others] = config.workflows;
  assert.equal(others.length, 0);
  assert.equal(workflow.enabled, false);
  const [field] = workflow.fields;
  const saved = await call('PUT', 'config', {
    slug: 'acme-crm',
    workflows: [{ id: workflow.id, enabled: true, fields: { [field.id]: 'customer' } }],
  });
  assert.equal(saved.workflows[0].enabled, true);

  const [event] = await call('GET', 'event');
  assert.equal(event.name, 'New Contact Created');
  const payload = JSON.parse(event.raw_response) as { email: string };
  await call('POST', 'event', { event: event.name, payload });

  const created = await until(async () => {
    const answer = await fetch(`${inlay.acmeUrl}/api/v1/contacts`, { headers: { 'x-acme-key': demoApiKey } });
    const { data } = (await answer.json()) as { data: { email: string; status: string }[] };
    return data.find(({ email }) => email === payload.email);
  });
  assert.equal(created.status, 'customer');
});

test("the demo opens the way to Acme CRM's port and to nothing else on this machine", async () => {
  const reached: string[] = [];
  const neighbour = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(neighbour, 'listening');
  try {
    const { port } = neighbour.address() as AddressInfo;
    for (const url of [
      `http://127.0.0.1:${port}/secrets`,
      `http://localhost:${port}/secrets`,
      `http://[::1]:${port}/secrets`,
      `http://[::ffff:127.0.0.1]:${port}/secrets`,
      `${inlay.url}/healthz`,
    ]) {
      const refused = await callFromWorkflow(url);
      assert.equal(refused.status, 'ERRORED', url);
      assert.match(refused.error.message, /Calls to ".+" are refused: .+INLAY_EGRESS_ALLOW/, url);
    }
    assert.deepEqual(reached, []);
    assert.equal((await callFromWorkflow(`${inlay.acmeUrl}/openapi.json`)).status, 'COMPLETED');
  } finally {
    neighbour.close();
  }
});

/** Runs a workflow whose one step calls an address; how that ended. */
async function callFromWorkflow(url: string): Promise<{ status: string; error: { message: string } }> {
  const linkedAccountId = inlay.demo.linkedAccountId;
  const call = async (method: string, route: string, body: unknown) => {
    const answer = await inlay.call(method, `/api/v2/public/${route}`, { linkedAccountId, body });
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
    return answer.body;
  };
  const { workflow } = await call('POST', 'workflow', {
    name: `Calls ${url}`,
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
      { id: '2', node_type: 'http', name: 'Call', data: { method: 'GET', url } },
    ],
    edges: [{ source: '1', target: '2' }],
  });
  await call('PUT', `workflow/${workflow._id}/publish`, {});
  const { execution_id: id } = await call('POST', `workflow/${workflow._id}/execute`, {});
  return until(
    async () => {
      const execution = await inlay.call('GET', `/api/v2/public/execution/${id}`, { linkedAccountId });
      return ['COMPLETED', 'ERRORED'].includes(execution.body.status) ? execution.body : undefined;
    },
    { timeoutMs: 20_000, what: `the call of ${url} to end` },
  );
}
