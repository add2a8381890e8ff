/**
 * The real program, its real PostgreSQL and the real Acme CRM, one of them killed while executions run: each that
 * was accepted ends once, and the provider has exactly one contact of each.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, type RunningInlay, startInlay, until } from './inlay.ts';

const nodes = [
  { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
  {
    id: '2',
    node_type: 'app_action',
    name: 'Create contact',
    data: { app: 'acme-crm', action: 'createContact', parameters: { name: '{{event.name}}' } },
  },
  { id: '3', node_type: 'response', name: 'Answer', data: { data: { id: '{{node.2.body.id}}' } } },
];
const edges = [
  { source: '1', target: '2' },
  { source: '2', target: '3' },
];

/** Connects the demo account by key and publishes a workflow that makes a contact; answers its id. */
async function prepare(inlay: RunningInlay): Promise<string> {
  const { linkedAccountId } = inlay.demo;
  const connected = await inlay.call(
    'PUT',
    '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm',
    { linkedAccountId, body: { apiKey: 'acme_key_demo_ada' } },
  );
  assert.equal(connected.status, 200, JSON.stringify(connected.body));
  const made = await inlay.call('POST', '/api/v2/public/workflow', {
    linkedAccountId,
    body: { name: 'Make a contact', slug: 'acme-crm', nodes, edges },
  });
  const published = await inlay.call('PUT', `/api/v2/public/workflow/${made.body.workflow?._id}/publish`, {
    linkedAccountId,
    body: { published: true },
  });
  assert.equal(published.status, 200, JSON.stringify([made.body, published.body]));
  return published.body._id as string;
}

/** Starts executions, each for a contact of its own name, and answers the names that were accepted. */
async function accepted(inlay: RunningInlay, workflow: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, n) => `Survivor ${n}`);
  const answers = await Promise.all(
    names.map((name) =>
      inlay.call('POST', `/api/v2/public/workflow/${workflow}/execute`, {
        linkedAccountId: inlay.demo.linkedAccountId,
        body: { name },
      }),
    ),
  );
  for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body));
  return names;
}

/** How many executions of the account are in a state; undefined while the database is away. */
async function countOf(inlay: RunningInlay, state: string): Promise<number | undefined> {
  const { status, body } = await inlay.call('GET', `/api/v2/public/execution?limit=1&status=${state}`, {
    linkedAccountId: inlay.demo.linkedAccountId,
  });
  return status === 200 ? (body.totalDocs as number) : undefined;
}

async function contacts(inlay: RunningInlay): Promise<string[]> {
  const { body } = await inlay.call(
    'POST',
    '/api/v2/integration-schema/acme-crm/actions/listContacts/execute',
    {
      linkedAccountId: inlay.demo.linkedAccountId,
      body: {},
    },
  );
  assert.equal(body.node_status, 'Success', JSON.stringify(body));
  return (body.data as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name.startsWith('Survivor'));
}

async function assertEachOnce(inlay: RunningInlay, names: readonly string[]): Promise<void> {
  await until(async () => (await countOf(inlay, 'COMPLETED')) === names.length, {
    timeoutMs: 120_000,
    what: `${names.length} executions to complete`,
  });
  for (const state of ['QUEUED', 'RUNNING', 'ERRORED']) assert.equal(await countOf(inlay, state), 0, state);
  assert.deepEqual((await contacts(inlay)).toSorted(), [...names].toSorted());
}

/** Only to end a test that hangs: how long it takes is the machine's affair, and other tests run beside it. */
const longestMs = 240_000;

/** Few at a time, so that something is under way at the moment of the kill. */
const env = async () => ({
  ACME_RATE_LIMIT_PER_MINUTE: '1000000',
  INLAY_ACME_PORT: String(await freePort()),
  INLAY_WORKER_CONCURRENCY: '20',
});

test('200 executions survive the program killed in their midst', { timeout: longestMs }, async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-survive-'));
  await chmod(dataDir, 0o755);
  const same = { dataDir, env: await env() };
  try {
    const first = await startInlay(same);
    const names = await accepted(first, await prepare(first), 200);
    const done = await until(() => countOf(first, 'COMPLETED'), { what: 'the first to complete' });
    const ended = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await ended;
    assert.ok(done < 200, 'all had ended before the kill: it proves nothing');
    const second = await startInlay(same);
    try {
      await assertEachOnce(second, names);
    } finally {
      await second.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('500 executions survive their PostgreSQL killed in their midst', { timeout: longestMs }, async () => {
  const inlay = await startInlay({ env: await env() });
  try {
    const names = await accepted(inlay, await prepare(inlay), 500);
    const done = await until(() => countOf(inlay, 'COMPLETED'), { what: 'the first to complete' });
    const lock = await readFile(path.join(inlay.dataDir, 'postgres/data/postmaster.pid'), 'utf8');
    process.kill(Number.parseInt(lock), 'SIGKILL');
    assert.ok(done < 500, 'all had ended before the kill: it proves nothing');
    await assertEachOnce(inlay, names);
    assert.equal(inlay.child.exitCode, null, inlay.log());
  } finally {
    await inlay.stop();
  }
});
