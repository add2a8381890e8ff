import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import { createTestApi, type TestApi } from '#api/testing';
import { connectWithKeys, saveAppSettings } from '#connections/index';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import { createWorkflow, publishWorkflow } from '#workflows/index';

let api: TestApi;
let crm: AcmeCrm;
let account: LinkedAccountRef;

before(async () => {
  [api, crm] = await Promise.all([createTestApi(), startAcmeCrm()]);
  const { tenant } = api.org;
  await saveAppSettings(api.deps, tenant, 'acme-crm', {
    isEnabled: true,
    variables: { acme_base_url: crm.url },
  });
  account = await api.addLinkedAccount('ann');
  const fields = { apiKey: 'acme_key_demo_ada' };
  await connectWithKeys(api.deps, { tenant, linkedAccount: account, slug: 'acme-crm', fields });
});
after(async () => {
  await crm.close();
  await api.close();
});

/** Reads contacts incrementally; then does what `then` says, and answers with the window and the last sync. */
async function publish(sync: object = {}, behind: object[] = []): Promise<string> {
  const caller = { tenant: api.org.tenant, isCustomer: false, linkedAccount: account };
  const parameters = { path: '/contacts', query: { updated_since: '[[from]]' }, items: 'data', ...sync };
  const ids = ['2', ...behind.map((_, i) => `${i + 3}`), '9'];
  const { id } = await createWorkflow(api.deps, caller, {
    name: `Sync ${newId()}`,
    nodes: [
      { id: '1', node_type: 'start', data: {} },
      {
        id: '2',
        node_type: 'app_action',
        data: { app: 'acme-crm', action: 'incrementalsync', parameters, retry_policy: { max_attempts: 1 } },
      },
      ...behind.map((node, i) => ({ id: `${i + 3}`, ...node })),
      {
        id: '9',
        node_type: 'response',
        data: {
          data: { from: '{{node.2.body.from}}', to: '{{node.2.body.to}}', last: '{{last_sync_time}}' },
        },
      },
    ],
    edges: ids.map((target, i) => ({ source: i === 0 ? '1' : ids[i - 1]!, target })),
  });
  await publishWorkflow(api.deps, caller, id);
  return id;
}

interface Window {
  readonly from: string;
  readonly to: string;
  readonly last: string;
}

async function run(workflowId: string, payload: object = {}) {
  const answer = await api.deps.engine.runSync(api.org.tenant, {
    workflowId,
    version: 1,
    linkedAccount: account,
    configId: 'ann',
    source: 'api_call',
    payload,
    timeoutMs: 10_000,
  });
  return { id: answer.executionId, isErrored: answer.isErrored, window: answer.returnValue as Window };
}

async function windowOf(executionId: string): Promise<{ from: string; to: string }> {
  const { rows } = await api.database.pool.query<{ from_at: Date; to_at: Date }>(
    'select from_at, to_at from sync_window where execution_id = $1',
    [executionId],
  );
  return { from: rows[0]!.from_at.toISOString(), to: rows[0]!.to_at.toISOString() };
}

const failingIf = {
  node_type: 'custom_code',
  data: {
    language: 'javascript',
    code: 'function yourFunction(params) { if (params.fail === true) throw new Error("No."); return 1; }',
    parameters: { fail: '{{event.fail}}' },
  },
};

test('windows chain: each begins where the last one ended, and templates see that time', async () => {
  const id = await publish({ from: '2026-01-01T00:00:00Z' });
  const [first, second, third] = [await run(id), await run(id), await run(id)];
  assert.equal(first.window.from, '2026-01-01T00:00:00.000Z');
  assert.equal(second.window.from, first.window.to);
  assert.equal(third.window.from, second.window.to);
  assert.deepEqual([second.window.last, third.window.last], [first.window.to, second.window.to]);
});

test('what a failed run read is read again by the next one', async () => {
  const id = await publish({}, [failingIf]);
  const first = await run(id);
  assert.equal(first.window.from, '1970-01-01T00:00:00.000Z');
  const failed = await run(id, { fail: true });
  assert.equal(failed.isErrored, true);
  assert.equal((await windowOf(failed.id)).from, first.window.to);
  const next = await run(id);
  assert.equal(next.window.from, first.window.to);
});

test('a run that repeats a failed one reads the window of that one', async () => {
  const id = await publish({}, [failingIf]);
  await run(id);
  const failed = await run(id, { fail: true });
  await run(id);
  const { executionId } = await api.deps.engine.rerun(api.org.tenant, failed.id);
  const deadline = Date.now() + 10_000;
  while ((await api.deps.engine.read(api.org.tenant, executionId)).header.finishedAt === null) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(await windowOf(executionId), await windowOf(failed.id));
});

test('a window that the app refused is not kept', async () => {
  const id = await publish({ path: '/nothing-there' });
  const failed = await run(id);
  assert.equal(failed.isErrored, true);
  const { rows } = await api.database.pool.query<{ state: string }>(
    'select state from sync_window where execution_id = $1',
    [failed.id],
  );
  assert.deepEqual(rows, [{ state: 'dropped' }]);
});

test('each account, workflow and config has a chain of its own', async () => {
  const [one, other] = [await publish(), await publish()];
  await run(one);
  assert.equal((await run(other)).window.from, '1970-01-01T00:00:00.000Z');
});
