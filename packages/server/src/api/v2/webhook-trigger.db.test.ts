import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi({ config: { webhookRateLimitPerMinute: 30 } });
  await api.addLinkedAccount('ada');
  await api.addLinkedAccount('bob');
});
after(() => api.close());

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- bodies of the wire

async function wire(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: object, account = 'ada') {
  const answer = await api.app.inject({
    method,
    url: `/api/v2/public${url}`,
    headers: {
      'x-api-key': api.org.keys.test,
      linked_account_id: account,
      'content-type': 'application/json',
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json<Json>() };
}

/** A published workflow of account `ada` with a webhook trigger. */
async function publish(trigger: object, extra: object = {}): Promise<{ id: string; url: string }> {
  const nodes = [
    { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'webhook', ...trigger } } },
  ];
  const made = await wire('POST', '/workflow', { name: 'Hook', nodes, edges: [], ...extra });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const published = await wire('PUT', `/workflow/${made.body['workflow']._id}/publish`, { published: true });
  assert.equal(published.status, 200, JSON.stringify(published.body));
  const id = published.body['_id'] as string;
  return { id, url: `/api/v1/webhook-trigger/${api.org.orgId}-test/${id}/ada` };
}

async function post(
  url: string,
  payload: string,
  headers: Record<string, string> = {},
  method: 'POST' | 'GET' = 'POST',
) {
  const answer = await api.app.inject({
    method,
    url,
    headers: { 'content-type': 'application/json', ...headers },
    ...(method === 'POST' && { payload }),
  });
  return { status: answer.statusCode, body: answer.json<Json>(), headers: answer.headers };
}

async function started(workflowId: string): Promise<number> {
  const { rows } = await api.database.pool.query<{ count: number }>(
    'select count(*)::int as count from execution where workflow_id = $1',
    [workflowId],
  );
  return rows[0]!.count;
}

const secret = 'a shared secret of both sides';
const hmac = (body: string, encoding: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(body).digest(encoding);
const signed = { type: 'hmac', header: 'X-Signature', prefix: 'sha256=', secret };
const schema = { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] };

test('a call is stored with its execution before it is answered, and the workflow sees the body', async () => {
  const { id, url } = await publish({});
  const answer = await post(url, '{"order":{"no":90071992547409931}}');
  assert.deepEqual([answer.status, answer.body['message']], [200, 'Webhook Fired Success']);
  const execution = await wire('GET', `/execution/${answer.body['execution_id']}`);
  assert.deepEqual(execution.body['nodes'][0].latest_output.body, { order: { no: '90071992547409931' } });
  assert.equal(execution.body['execution_source'], 'Event');
  assert.equal(execution.body['associated_workflow']._id, id);
});

describe('the checks answer in their order, and nothing is queued', () => {
  // Each call fails its own check and all later ones.
  const cases: [status: number, what: string, call: (url: string) => ReturnType<typeof post>][] = [
    [405, 'another method than POST', (url) => post(url, '', { 'content-type': 'text/plain' }, 'GET')],
    [415, 'what is not JSON', (url) => post(url, 'x'.repeat(1_100_000), { 'content-type': 'text/plain' })],
    [413, 'more than 1 MB', (url) => post(url, 'x'.repeat(1_100_000))],
    [401, 'a wrong signature', (url) => post(url, '{"id":"no number"}', { 'x-signature': 'sha256=00' })],
    [400, 'what is no JSON', (url) => post(url, '{', { 'x-signature': `sha256=${hmac('{')}` })],
    [
      400,
      'what does not fit the schema',
      (url) => post(url, '{"id":"x"}', { 'x-signature': `sha256=${hmac('{"id":"x"}')}` }),
    ],
    [409, 'a repeat', (url) => post(url, '{"id":1}', { 'x-signature': `sha256=${hmac('{"id":1}')}` })],
    [
      429,
      'one call too many',
      (url) => post(url, '{"id":2}', { 'x-signature': `sha256=${hmac('{"id":2}')}` }),
    ],
  ];

  for (const [status, what, call] of cases) {
    test(`${status} ${what}`, async () => {
      const { id, url } = await publish(
        { auth: signed, validate: true, idempotency: { key: '{event:id}' } },
        { json_schema: schema },
      );
      const good = await post(url, '{"id":1}', { 'x-signature': `sha256=${hmac('{"id":1}')}` });
      assert.equal(good.status, 200, JSON.stringify(good.body));
      // The bucket holds five; the good call took one of them. Repeats take none.
      for (let n = 100; n < 104; n += 1) {
        const body = `{"id":${n}}`;
        assert.equal((await post(url, body, { 'x-signature': `sha256=${hmac(body)}` })).status, 200);
      }
      const answer = await call(url);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.equal(answer.body['status_code'], status);
      assert.ok((answer.body['message'] as string).length > 10);
      if (status === 429) assert.ok(Number(answer.headers['retry-after']) > 0);
      assert.equal(await started(id), 5);
    });
  }
});

test('a signature is taken in hex and base64, with and without a prefix; a token must be the same', async () => {
  const body = '{"a":"ü"}';
  const base64 = await publish({ auth: { ...signed, encoding: 'base64', prefix: '' } });
  assert.equal((await post(base64.url, body, { 'x-signature': hmac(body, 'base64') })).status, 200);
  assert.equal((await post(base64.url, body, { 'x-signature': hmac(body) })).status, 401);
  assert.equal((await post(base64.url, `${body} `, { 'x-signature': hmac(body, 'base64') })).status, 401);
  const token = await publish({ auth: { type: 'token', header: 'X-Token', secret } });
  assert.equal((await post(token.url, body, { 'x-token': secret })).status, 200);
  assert.equal((await post(token.url, body, { 'x-token': `${secret}.` })).status, 401);
  assert.equal((await post(token.url, body)).status, 401);
});

test('a secret is never shown again, is sealed, and stays when the trigger is saved without it', async () => {
  const { id, url } = await publish({ auth: signed });
  const read = await wire('GET', `/workflow/${id}/edit`);
  assert.equal(JSON.stringify(read.body).includes(secret), false);
  const [start] = read.body['nodes'] as Json[];
  assert.match(start!['data'].trigger.auth.secret_id as string, /^[0-9a-f]{24}$/);
  const { rows } = await api.database.pool.query<Json>(
    `select w.draft::text || v.document::text as text, s.secret_sealed from workflow w
     join workflow_version v on v.workflow_id = w.id join trigger_secret s on s.workflow_id = w.id where w.id = $1`,
    [id],
  );
  assert.equal((rows[0]!['text'] as string).includes(secret), false);
  assert.equal((rows[0]!['secret_sealed'] as Buffer).includes(secret), false);
  delete start!['data'].trigger.auth.secret_id;
  const saved = await wire('PUT', `/workflow/${read.body['_id']}`, { nodes: [start] });
  assert.equal(saved.status, 200, JSON.stringify(saved.body));
  assert.equal((await wire('PUT', `/workflow/${id}/publish`, { published: true })).status, 200);
  assert.equal((await post(url, '{}', { 'x-signature': `sha256=${hmac('{}')}` })).status, 200);
});

test('a secret of another workflow cannot be borrowed by its id', async () => {
  const { id } = await publish({ auth: signed });
  const [start] = (await wire('GET', `/workflow/${id}`)).body['nodes'] as Json[];
  const made = await wire('POST', '/workflow', { name: 'Thief', nodes: [start], edges: [] });
  const answer = await wire('PUT', `/workflow/${made.body['workflow']._id}/publish`, { published: true });
  assert.equal(answer.status, 400);
  assert.match(JSON.stringify(answer.body['errors']), /set it again/);
});

test('a URL stops at once when its workflow is unpublished or deleted, and what was queued still runs', async () => {
  const { id, url } = await publish({});
  const { body } = await post(url, '{}');
  await wire('PUT', `/workflow/${id}/publish`, { published: false });
  assert.equal((await post(url, '{}')).status, 404);
  await wire('PUT', `/workflow/${id}/publish`, { published: true });
  assert.equal((await post(url, '{}')).status, 200);
  assert.equal((await wire('DELETE', `/workflow/${id}`)).status, 200);
  assert.equal((await post(url, '{}')).status, 404);
  const deadline = Date.now() + 10_000;
  let status = '';
  while (status !== 'COMPLETED' && Date.now() < deadline) {
    status = (await wire('GET', `/execution/${body['execution_id']}`)).body['status'] as string;
  }
  assert.equal(status, 'COMPLETED');
});

test("an account's own workflow answers under that account only, and a stranger learns nothing", async () => {
  const { id, url } = await publish({});
  const strangers = [
    url.replace(/ada$/, 'bob'),
    url.replace(/ada$/, 'nobody'),
    url.replace('-test', '-production'),
    url.replace(id, '0'.repeat(24)),
    url.replace(api.org.orgId, 'f'.repeat(24)),
    url.replace(`${api.org.orgId}-test`, 'anything'),
  ];
  const answers = await Promise.all(strangers.map((address) => post(address, '{}')));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([404]));
  assert.equal(new Set(answers.map(({ body }) => body['message'])).size, 1);
  assert.equal(await started(id), 0);
});

test('one delivery makes one run, however many times it comes at once', async () => {
  const { id, url } = await publish({ idempotency: { key: '{header:X-Delivery}' } });
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => post(url, '{"n":1}', { 'x-delivery': 'd-1' })),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  assert.equal(count(200), 1);
  assert.equal(count(200) + count(409) + count(429), 60);
  assert.equal(await started(id), 1);
  const { rows } = await api.database.pool.query<Json>(
    `select is_duplicate, source, results from inbox where results::text like $1 order by id`,
    [`%${id}%`],
  );
  assert.deepEqual(rows.filter((row) => !row['is_duplicate']).length, 1);
  assert.equal(rows.filter((row) => row['is_duplicate'] === true).length, count(409));
  assert.deepEqual(rows.at(-1)?.['results'], [{ workflow_id: id, outcome: 'duplicate' }]);
});

test('a call without the part that its key is made of runs normally', async () => {
  const { id, url } = await publish({ idempotency: { key: '{header:X-Delivery}' } });
  const answers = [await post(url, '{"n":1}'), await post(url, '{"n":1}')];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(await started(id), 2);
});

test('conditions that do not hold start nothing, and the call is a success', async () => {
  const conditions = [{ variable: '{{event.state}}', operator: 'eq', value: 'paid' }];
  const { id, url } = await publish({ conditions });
  const open = await post(url, '{"state":"open"}');
  assert.deepEqual([open.status, open.body['execution_id']], [200, undefined]);
  assert.equal(await started(id), 0);
  assert.equal((await post(url, '{"state":"paid"}')).status, 200);
  assert.equal(await started(id), 1);
});

test('headers come along when they are asked for, without the one that proves the caller', async () => {
  const { url } = await publish({ auth: { type: 'token', header: 'X-Mine', secret } });
  const answer = await post(`${url}?include-headers=true`, '{"a":1}', {
    'x-mine': secret,
    'x-topic': 'orders',
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { rows } = await api.database.pool.query<Json>(
    'select input, output from journal where execution_id = $1 and seq = 0',
    [answer.body['execution_id']],
  );
  assert.equal(rows[0]!['input'].headers['x-topic'], 'orders');
  assert.equal(rows[0]!['input'].headers['x-mine'], '[REDACTED]');
  assert.equal(JSON.stringify(rows).includes(secret), false);
});

test('what cannot work is refused when it is saved or published, with its field', async () => {
  const save = async (trigger: object) => {
    const nodes = [{ id: '1', node_type: 'start', data: { trigger: { kind: 'webhook', ...trigger } } }];
    const made = await wire('POST', '/workflow', { name: 'Bad', nodes, edges: [] });
    if (made.status !== 200) return made.body['errors'][0].path as string;
    const id = made.body['workflow']._id as string;
    return (await wire('PUT', `/workflow/${id}/publish`, { published: true })).body['errors'][0]
      .path as string;
  };
  const at = 'nodes[0].data.trigger';
  assert.equal(await save({ auth: { type: 'magic' } }), `${at}.auth.type`);
  assert.equal(await save({ auth: { type: 'hmac', header: 'no header', secret } }), `${at}.auth.header`);
  assert.equal(await save({ auth: { ...signed, encoding: 'rot13' } }), `${at}.auth.encoding`);
  assert.equal(await save({ auth: { type: 'token', header: 'x-token' } }), `${at}.auth.secret`);
  assert.equal(await save({ validate: true }), 'json_schema');
  assert.equal(await save({ idempotency: { key: 'fixed' } }), `${at}.idempotency`);
});

test('calls that a workflow starts with dedup_key run once for each key, sync or not', async () => {
  const { id } = await publish({}, { settings: { dedup_key: '{event:order}' } });
  const execute = (order: unknown, sync: boolean) =>
    api.app.inject({
      method: 'POST',
      url: `/api/v2/public/workflow/${id}/execute`,
      headers: {
        'x-api-key': api.org.keys.test,
        linked_account_id: 'ada',
        'content-type': 'application/json',
        sync_execution: String(sync),
      },
      payload: JSON.stringify({ order }),
    });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => execute('A-1', n % 2 === 0)));
  assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1);
  assert.equal(answers.filter(({ statusCode }) => statusCode === 409).length, 19);
  assert.equal((await execute('A-2', true)).statusCode, 200);
  assert.deepEqual(
    [(await execute(null, false)).statusCode, (await execute(null, false)).statusCode],
    [200, 200],
  );
  assert.equal(await started(id), 4);
  const { rows } = await api.database.pool.query<Json>(
    `select count(*)::int as count from inbox where is_duplicate and source = 'api_call' and results::text like $1`,
    [`%${id}%`],
  );
  assert.equal(rows[0]!['count'], 19);
});
