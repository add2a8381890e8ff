import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let own: string;
let watching: Record<string, string>;
let acting: Record<string, string>;

before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ada');
  await api.database.db
    .insertInto('app_setting')
    .values({
      org_id: api.org.orgId,
      environment: 'test',
      app_slug: 'gong',
      client_id: null,
      client_secret_sealed: null,
    })
    .execute();
  acting = { authorization: `Bearer ${await token({})}` };
  watching = { authorization: `Bearer ${await token({ readOnlyWorkflow: true })}` };
  const made = await call('POST', '/api/v2/public/workflow', { name: 'Mine', slug: 'gong' }, acting);
  own = made.body.workflow.associated_workflow;
  await call('PUT', `/api/v2/public/workflow/${own}/publish`, {}, acting);
});
after(() => api.close());

async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await api.app.inject({
    method: method as 'GET',
    url,
    headers: {
      ...(headers['authorization'] === undefined && { 'x-api-key': api.org.keys.test }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

async function token(body: object, query = ''): Promise<string> {
  const answer = await call('POST', `/api/v2/public/session-token${query}`, {
    linked_account_id: 'ada',
    ...body,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.token;
}

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString());

test('every door of a session token either is closed to one that may only look at workflows, or changes none', async () => {
  const forSessions = ['session', 'account', 'account?', 'key|session'];
  const doors = api.app.registeredRoutes.filter(({ auth }) => forSessions.includes(auth));
  const closed = doors.filter(({ changesWorkflows, method }) => changesWorkflows && method !== 'HEAD');
  for (const { method, url } of closed) {
    const path = url.replace(':workflow_id', own).replace(':workflowId', own).replaceAll(/:\w+/g, 'some-id');
    const answer = await call(method, path, method === 'GET' ? undefined : {}, watching);
    assert.deepEqual(
      [answer.status, /readOnlyWorkflow/.test(answer.body.message)],
      [403, true],
      `${method} ${url}: ${JSON.stringify(answer.body)}`,
    );
  }
  // A new door that writes is listed here when it changes, switches and runs no workflow; else it says `changesWorkflows`.
  const open = doors.filter(
    ({ changesWorkflows, method }) => !changesWorkflows && !['GET', 'HEAD'].includes(method),
  );
  assert.deepEqual(
    open.map(({ method, url }) => `${method} ${url}`).toSorted((a, b) => a.localeCompare(b)),
    [
      'DELETE /api/v1/linked-acc/integration/:slug',
      'DELETE /api/v2/public/config/field/:fieldId',
      'DELETE /api/v2/public/env/values/:value_id',
      'DELETE /api/v2/public/linked-account/default-app/auth-credentials/:key',
      'DELETE /api/v2/public/linked-account/integration/:slug',
      'DELETE /api/v2/public/tables/:table_id',
      'DELETE /api/v2/public/tables/:table_id/:record_id',
      'DELETE /api/v2/public/tables/:table_id/columns/remove',
      'PATCH /api/v2/public/tables/:table_id',
      'PATCH /api/v2/public/tables/:table_id/columns/add',
      'PATCH /api/v2/public/tables/:table_id/columns/rename',
      'PATCH /api/v2/public/tables/:table_id/records/:record_id',
      'POST /api/v1/:slug/integrate',
      'POST /api/v2/app/:slug/save',
      'POST /api/v2/f-sdk/config',
      'POST /api/v2/integration-schema/:slug/actions/:action_id/execute',
      'POST /api/v2/public/config',
      'POST /api/v2/public/config/field',
      'POST /api/v2/public/config/field/:fieldId',
      'POST /api/v2/public/config/rule-engine/:fieldId',
      'POST /api/v2/public/connect-url',
      'POST /api/v2/public/datastore/config/:slug/:datastore_name/search',
      'POST /api/v2/public/env/values',
      'POST /api/v2/public/session-token/revoke',
      'POST /api/v2/public/tables',
      'POST /api/v2/public/tables/:table_id/search',
      'PUT /api/v2/f-sdk/config',
      'PUT /api/v2/public/config',
      'PUT /api/v2/public/config/field/:fieldId',
      'PUT /api/v2/public/linked-account',
      'PUT /api/v2/public/linked-account/default-app/auth-credentials/:key',
      'PUT /api/v2/public/linked-account/integration/save-key-credentials/:slug',
      'PUT /api/v2/public/tables/group/edit',
    ],
  );
});

test('with such a token workflows, versions and executions are still read', async () => {
  for (const path of [
    'workflow',
    `workflow/${own}`,
    `workflow/versions/${own}`,
    `workflow/request-structure/${own}`,
    'workflow/enabled',
    'execution',
  ]) {
    const answer = await call('GET', `/api/v2/public/${path}`, undefined, watching);
    assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  }
});

test('it saves what the customer chose, and switches no workflow, whichever door is tried', async () => {
  const { body: made } = await call('POST', '/api/v2/public/workflow', { name: 'Shared', slug: 'gong' });
  const shared = made.workflow.associated_workflow;
  await call('PUT', `/api/v2/public/workflow/${shared}/publish`, {});
  for (const base of ['/api/v2/public', '/api/v2/f-sdk']) {
    const save = (method: string, enabled: boolean) =>
      call(method, `${base}/config`, { slug: 'gong', workflows: [{ id: shared, enabled }] }, watching);
    assert.equal((await save('POST', false)).status, 200);
    assert.equal((await save('PUT', false)).status, 200);
    for (const method of ['POST', 'PUT']) {
      const refused = await save(method, true);
      assert.deepEqual([refused.status, /readOnlyWorkflow/.test(refused.body.message)], [403, true]);
    }
  }
});

test('the two kinds of token are never handed out for each other, and the claim tells them apart', async () => {
  const again = await token({});
  assert.equal(`Bearer ${again}`, acting['authorization']);
  assert.equal(claimsOf(again).readOnlyWorkflow, undefined);
  const watcher = await token({ readOnlyWorkflow: true });
  assert.equal(`Bearer ${watcher}`, watching['authorization']);
  assert.equal(claimsOf(watcher).readOnlyWorkflow, true);
  const wrong = await call('POST', '/api/v2/public/session-token', {
    linked_account_id: 'ada',
    readOnlyWorkflow: 'yes',
  });
  assert.deepEqual([wrong.status, /readOnlyWorkflow/.test(wrong.body.message)], [400, true]);
});

test('a hosted page that was opened with such a token may not do more than it', async () => {
  const link = await call('POST', '/api/v2/public/connect-url', {}, watching);
  const opened = await call('POST', '/api/portal/session', {
    token: new URL(link.body.hosted_url).pathname.split('/').at(-1),
  });
  assert.equal(claimsOf(opened.body.token).readOnlyWorkflow, true);
  const headers = { authorization: `Bearer ${opened.body.token}` };
  assert.equal((await call('POST', '/api/v2/public/workflow', { name: 'X' }, headers)).status, 403);
});

test('beside an API key the token only names the account: the key decides what is allowed', async () => {
  const both = { ...watching, 'x-api-key': api.org.keys.test };
  const answer = await call('POST', `/api/v2/public/workflow/${own}/execute`, {}, both);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});
