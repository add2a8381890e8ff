/** One API and two workers as real processes on one data folder: what a killed worker held, the other one finishes. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startInlay, until, type RunningInlay } from './inlay.ts';

const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');
const total = 60;

async function startWorker(dataDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [cli, 'start', '--role', 'worker'], {
    env: {
      ...process.env,
      INLAY_DATA_DIR: dataDir,
      INLAY_LOG_LEVEL: 'warn',
      INLAY_EGRESS_ALLOW: '127.0.0.1/32',
      INLAY_WORKER_CONCURRENCY: '10',
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  await until(() => said.includes('(worker) is ready') || child.exitCode !== null);
  assert.equal(child.exitCode, null, said);
  return child;
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
  return child.exitCode;
}

/** A provider that answers slowly enough for its caller to be killed meanwhile. */
async function slowProvider(t: TestContext): Promise<{ url: string; calls(): number }> {
  let calls = 0;
  const server = createServer((_request, response) => {
    calls += 1;
    setTimeout(() => response.setHeader('content-type', 'application/json').end('{"ok":true}'), 700);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, calls: () => calls };
}

async function publishCall(inlay: RunningInlay, url: string): Promise<string> {
  const linkedAccountId = inlay.demo.linkedAccountId;
  const made = await inlay.call('POST', '/api/v2/public/workflow', {
    linkedAccountId,
    body: {
      name: 'Call a slow provider',
      slug: 'acme-crm',
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
        { id: '2', node_type: 'http', name: 'Call', data: { method: 'GET', url } },
        { id: '3', node_type: 'response', name: 'Answer', data: { data: { ok: '{{node.2.body.ok}}' } } },
      ],
      edges: [
        { source: '1', target: '2' },
        { source: '2', target: '3' },
      ],
    },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const published = await inlay.call('PUT', `/api/v2/public/workflow/${made.body.workflow._id}/publish`, {
    linkedAccountId,
    body: { published: true },
  });
  assert.equal(published.status, 200, JSON.stringify(published.body));
  return published.body._id as string;
}

async function count(inlay: RunningInlay, status: string): Promise<number> {
  const answer = await inlay.call('GET', `/api/v2/public/execution?limit=1&status=${status}`, {
    linkedAccountId: inlay.demo.linkedAccountId,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.totalDocs as number;
}

test('an api and two workers share the work, and nothing is lost with a killed worker', async (t) => {
  const inlay = await startInlay({ args: ['--role', 'api'] });
  const workers: ChildProcess[] = [];
  t.after(async () => {
    await Promise.all(workers.map((worker) => stopped(worker)));
    await inlay.stop();
  });
  const provider = await slowProvider(t);
  const workflow = await publishCall(inlay, provider.url);
  const queue = async () => {
    const answer = await inlay.call('POST', `/api/v2/public/workflow/${workflow}/execute`, {
      linkedAccountId: inlay.demo.linkedAccountId,
      headers: { slug: 'acme-crm', sync_execution: 'false' },
      body: {},
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  };
  await Promise.all(Array.from({ length: total }, queue));
  assert.equal(provider.calls(), 0, 'the api runs nothing itself');

  const [doomed, survivor] = await Promise.all([startWorker(inlay.dataDir), startWorker(inlay.dataDir)]);
  workers.push(doomed, survivor);
  // More calls than one worker makes at a time: both are in the middle of some.
  await until(() => provider.calls() > 10);
  await stopped(doomed, 'SIGKILL');

  await until(async () => (await count(inlay, 'COMPLETED')) === total, { what: `${total} completed` });
  assert.ok(provider.calls() > total, 'what the killed worker was at was done again');
  assert.equal(await stopped(survivor), 0);
  assert.equal((await inlay.call('GET', '/readyz')).status, 200, 'the database stays up without workers');
});
