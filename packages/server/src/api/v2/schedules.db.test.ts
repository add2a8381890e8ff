import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';

/** The public wire of schedules, as clients see it. */

let api: TestApi;
const base = '/api/v1/workflow/public/scheduled';
before(async () => {
  api = await createTestApi();
  await api.addLinkedAccount('ann');
  await api.addLinkedAccount('ben');
});
after(() => api.close());

type Body = Record<string, unknown>;
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
async function call(method: Method, url: string, body?: Body, headers: Record<string, string> = {}) {
  const response = await api.app.inject({
    method,
    url,
    headers: { 'x-api-key': api.org.keys.test, linked_account_id: 'ann', ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: response.statusCode, body: response.json<Body>() };
}

async function workflow(alias?: string, isPublished = true): Promise<string> {
  const made = await call(
    'POST',
    '/api/v2/public/workflow',
    { name: 'W', workflow_alias: alias },
    { linked_account_id: '' },
  );
  const { _id: id } = made.body['workflow'] as { _id: string };
  if (!isPublished) return id;
  const published = await call(
    'PUT',
    `/api/v2/public/workflow/${id}/publish`,
    { published: true },
    { linked_account_id: '' },
  );
  assert.equal(published.status, 200, JSON.stringify(published.body));
  return published.body['_id'] as string;
}

const cron = { trigger_type: 'cron', regex: '0 9 * * 1', tz: 'Europe/Berlin', payload: { n: 1 } };

function register(id: string, body: Body = cron, headers: Record<string, string> = {}) {
  return call('POST', base, body, { slug: 'custom-app', workflow_id_alias: id, config_id: 'c1', ...headers });
}

test('a schedule is answered as Cobalt spells it', async () => {
  const id = await workflow();
  const { status, body } = await register(id, { ...cron, startDate: '2031-01-01', endDate: '2031-12-31' });
  assert.equal(status, 200, JSON.stringify(body));
  const { _id, schedule_added_at, updatedAt, event_id, ...rest } = body;
  assert.ok([_id, schedule_added_at, updatedAt, event_id].every((value) => typeof value === 'string'));
  assert.deepEqual(rest, {
    workflow: id,
    config_id: 'c1',
    linked_account_id: 'ann',
    environment: 'test',
    org_id: api.org.orgId,
    trigger_type: 'cron',
    cron_patten: '0 9 * * 1',
    trigger_interval: [],
    status: 'running',
    inactive: false,
    registered_by_api: true,
    options: { startDate: '2031-01-01', endDate: '2031-12-31', tz: 'Europe/Berlin', trigger_type: 'cron' },
    payload: { n: 1 },
    next_run_at: '2031-01-06T08:00:00.000Z',
  });
});

test('dates are taken in both shapes and shown as they were written', async () => {
  const flat = { day: '1', month: '2', year: '2031', hour: '10', minute: '0' };
  const nested = { date: { day: 2, month: 2, year: 2031, hour: 10, minute: 0, second: 0 }, tz: 'Asia/Tokyo' };
  const { status, body } = await register(await workflow(), {
    trigger_type: 'interval',
    tz: 'Europe/Berlin',
    interval_dates: [flat, nested],
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    [body['trigger_interval'], body['next_run_at']],
    [[flat, nested], '2031-02-01T09:00:00.000Z'],
  );
});

test('a schedule is paused, resumed, changed and deleted; each of the first two only once', async () => {
  const { body } = await register(await workflow());
  const at = `${base}/${body['_id'] as string}`;
  const paused = await call('PUT', `${at}/pause`);
  assert.deepEqual([paused.body['status'], paused.body['inactive']], ['paused', true]);
  assert.ok(typeof paused.body['inactive_from'] === 'string' && !('next_run_at' in paused.body));
  assert.deepEqual(await refusal('PUT', `${at}/pause`), [400, 'Scheduled Job Already Inactive']);
  const resumed = await call('PUT', `${at}/resume`, {});
  assert.deepEqual([resumed.body['status'], 'inactive_from' in resumed.body], ['running', false]);
  assert.deepEqual(await refusal('PUT', `${at}/resume`), [400, 'Scheduled Job Already Active']);

  const retimed = await call('PUT', at, { regex: '30 6 * * *', tz: 'UTC' });
  assert.deepEqual([retimed.body['cron_patten'], retimed.body['payload']], ['30 6 * * *', { n: 1 }]);
  assert.match(retimed.body['next_run_at'] as string, /T06:30:00.000Z$/);
  const listed = await call('PUT', at, {
    interval_dates: [{ day: 1, month: 2, year: 2031, hour: 10, minute: 0 }],
  });
  assert.deepEqual([listed.body['trigger_type'], 'cron_patten' in listed.body], ['interval', false]);
  assert.equal(
    (await call('PUT', at, { payload: { n: 2 } })).body['next_run_at'],
    '2031-02-01T10:00:00.000Z',
  );

  assert.deepEqual(await call('DELETE', at), {
    status: 200,
    body: { message: 'Scheduled Job Deleted Successfully' },
  });
  assert.deepEqual(await refusal('DELETE', at), [404, 'Scheduled Job Not Found']);
});

async function refusal(method: Method, url: string, body?: Body, headers?: Record<string, string>) {
  const answer = await call(method, url, body, headers);
  return [answer.status, answer.body['message']];
}

test('a list shows the workflow and its application, newest first, of the one account only', async () => {
  await api.addLinkedAccount('carl');
  const id = await workflow();
  const carl = { linked_account_id: 'carl' };
  const first = await register(id, cron, carl);
  const second = await register(id, cron, carl);
  const { body } = await call('GET', `${base}?limit=1`, undefined, carl);
  const [doc] = body['docs'] as Body[];
  assert.deepEqual([body['totalDocs'], body['hasNextPage'], doc?.['_id']], [2, true, second.body['_id']]);
  const shown = doc?.['workflow'] as { name: string; associated_application: Body } | undefined;
  assert.deepEqual([shown?.name, shown?.associated_application['name']], ['W', 'My App']);
  assert.notEqual(first.body['_id'], second.body['_id']);
});

test('what belongs to another account, tenant or nobody is not found', async () => {
  const { body } = await register(await workflow());
  const at = `${base}/${body['_id'] as string}`;
  const other = await api.addOrganization('Other');
  await api.addLinkedAccount('ann', other.tenant);
  const unknown = [404, 'Scheduled Job Not Found'];
  for (const [method, url] of [
    ['PUT', at],
    ['PUT', `${at}/pause`],
    ['PUT', `${at}/resume`],
    ['DELETE', at],
  ] as const) {
    const given = method === 'PUT' ? {} : undefined;
    assert.deepEqual(await refusal(method, url, given, { linked_account_id: 'ben' }), unknown, url);
    assert.deepEqual(await refusal(method, url, given, { 'x-api-key': other.keys.test }), unknown, url);
    assert.deepEqual(await refusal(method, url.replace(/[0-9a-f]{24}/, newId()), given), unknown, url);
  }
  assert.equal((await call('GET', base, undefined, { linked_account_id: 'ben' })).body['totalDocs'], 0);
});

test('a call without credentials is refused at every door', async () => {
  for (const [method, url] of [
    ['GET', base],
    ['POST', base],
    ['PUT', `${base}/${newId()}`],
    ['DELETE', `${base}/${newId()}`],
    ['PUT', `${base}/${newId()}/pause`],
    ['PUT', `${base}/${newId()}/resume`],
  ] as const) {
    assert.equal((await call(method, url, undefined, { 'x-api-key': '' })).status, 401, `${method} ${url}`);
  }
});

test('bad input names the field, and nothing is stored', async () => {
  const id = await workflow();
  const fresh = { linked_account_id: (await api.addLinkedAccount(`d-${newId()}`)).accountId };
  const bad: readonly [Body, RegExp][] = [
    [{}, /^trigger_type is required/],
    [{ ...cron, regex: 'x' }, /^Cron Job Could Not Be Added {2}, Regex Configuration failed to register/],
    [{ ...cron, regex: '* * * * *' }, /5 min is the shortest interval/],
    [{ ...cron, tz: 'Nowhere' }, /^tz: "Nowhere" is no time zone/],
    [{ ...cron, endDate: '2020-01-01' }, /^endDate: is past/],
    [{ ...cron, payload: 'text' }, /^payload: expected record/],
    [
      { trigger_type: 'interval', interval_dates: [{ day: 1, month: 1, year: 2020, hour: 0, minute: 0 }] },
      /^interval_dates: 2020-01-01T00:00:00.000Z is past/,
    ],
  ];
  for (const [body, message] of bad) {
    const answer = await register(id, body, fresh);
    assert.equal(answer.status, 400, JSON.stringify(answer.body));
    assert.match(answer.body['message'] as string, message);
  }
  assert.equal((await register(id, cron, { ...fresh, slug: '' })).status, 400);
  assert.match(
    (await register(id, cron, { ...fresh, workflow_id_alias: '' })).body['message'] as string,
    /workflow_id_alias/,
  );
  assert.equal((await register(newId(), cron, fresh)).status, 404);
  assert.equal((await register(await workflow(undefined, false), cron, fresh)).status, 400);
  assert.equal((await call('GET', base, undefined, fresh)).body['totalDocs'], 0);
});

test('a schedule bound to an alias follows it to the next workflow that has it', async () => {
  const first = await workflow('nightly');
  const { body } = await register('nightly');
  assert.deepEqual([body['workflow'], body['workflow_id_alias']], [first, 'nightly']);
  await call('DELETE', `/api/v2/public/workflow/${first}`, undefined, { linked_account_id: '' });
  const second = await workflow('nightly');
  const { body: list } = await call('GET', `${base}?limit=100`);
  const doc = (list['docs'] as Body[]).find((item) => item['_id'] === body['_id']);
  assert.equal((doc?.['workflow'] as Body | undefined)?.['_id'], second);
});

test('a customer schedules by its session token, and only for itself', async () => {
  const token = (await call('POST', '/api/v2/public/session-token', { linked_account_id: 'ann' }, {})).body[
    'token'
  ];
  const id = await workflow();
  const response = await api.app.inject({
    method: 'POST',
    url: base,
    headers: {
      authorization: `Bearer ${String(token)}`,
      slug: 'x',
      workflow_id_alias: id,
      linked_account_id: 'ben',
    },
    payload: cron,
  });
  assert.equal(response.statusCode, 200, response.body);
  assert.equal(response.json<Body>()['linked_account_id'], 'ann');
});

test('a start node whose schedule cannot be does not go live, and says where', async () => {
  const made = await call('POST', '/api/v2/public/workflow', {
    name: 'W',
    nodes: [{ id: '1', node_type: 'start', data: { trigger: { kind: 'schedule', cron: '* * * * *' } } }],
  });
  const { _id: id } = made.body['workflow'] as { _id: string };
  const answer = await call('PUT', `/api/v2/public/workflow/${id}/publish`, { published: true });
  assert.equal(answer.status, 400);
  assert.match(
    answer.body['message'] as string,
    /nodes\[0\]\.data\.trigger: .*5 min is the shortest interval/,
  );
});
