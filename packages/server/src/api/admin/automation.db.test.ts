import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let cookie: string;
let environment = 'test';

before(async () => {
  api = await createTestApi();
  cookie = await signUp('ada@example.com');
});
after(() => api.close());

async function signUp(email: string): Promise<string> {
  const answer = await call('POST', '/sign-up', {
    email,
    password: 'correct horse',
    name: 'A',
    organization: email,
  });
  return answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
}

async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, as = cookie) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: {
      ...(as === undefined || as === '' ? {} : { cookie: as }),
      'x-inlay-environment': environment,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), cookies: answer.cookies };
}

test('an event is made from text, sent for an account, and starts the workflow that listens', async () => {
  const event = await call('POST', '/events', { name: 'Lead', sample: '{"email": "a@b.c"}' });
  assert.deepEqual([event.status, event.body.sample], [200, { email: 'a@b.c' }], JSON.stringify(event.body));
  const broken = await call('POST', '/events', { name: 'Broken', sample: '{"email": }' });
  assert.match(broken.body.message, /must be a valid JSON object.*line 1, column 11/);

  const trigger = {
    id: '1',
    node_type: 'start',
    name: 'Start',
    data: { trigger: { kind: 'event', event: 'Lead' } },
  };
  const made = await call('POST', '/workflows', { name: 'On lead', draft: { nodes: [trigger], edges: [] } });
  assert.deepEqual(
    [made.status, made.body.problems, made.body.trigger],
    [200, [], { kind: 'event', event: 'Lead' }],
  );
  const published = await call('POST', `/workflows/${made.body.id}/publish`, {});
  assert.deepEqual([published.body.published_version, published.body.versions.length], [1, 1]);
  await call('POST', '/linked-accounts', { linked_account_id: 'customer' });
  const send = (body: object) => call('POST', `/events/${event.body.id}/send`, body);
  assert.deepEqual((await send({ linked_account_id: 'customer', payload: {} })).body, { executions: 0 });
  assert.equal((await send({ linked_account_id: 'nobody', payload: {} })).status, 404);

  const changed = await call('PATCH', `/workflows/${made.body.id}`, {
    draft: { nodes: [trigger, { id: '2', node_type: 'rule', name: 'R', data: {} }], edges: [] },
    draft_revision: made.body.draft_revision,
  });
  assert.match(changed.body.problems[0].message, /node "R" \(2\) is not reached/);
  assert.equal(
    (await call('PATCH', `/workflows/${made.body.id}`, { name: 'x', draft_revision: 1 })).status,
    409,
  );
  assert.equal((await call('POST', `/workflows/${made.body.id}/unpublish`, {})).body.published_version, null);
  assert.equal((await call('DELETE', `/workflows/${made.body.id}`)).status, 200);
  assert.deepEqual((await call('GET', '/workflows')).body, { workflows: [] });
});

test('a config field is made, changed and deleted; a wrong one is told by field', async () => {
  const orgId = (await call('GET', '/session')).body.organization.id;
  await api.database.db
    .insertInto('app_setting')
    .values({
      org_id: orgId,
      environment: 'test',
      app_slug: 'gong',
      client_id: null,
      client_secret_sealed: null,
    })
    .execute();
  const made = await call('POST', '/apps/gong/config-fields', {
    name: 'Stage',
    field_type: 'select',
    definition: { options: ['a'] },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const changed = await call('PATCH', `/config-fields/${made.body.id}`, { is_required: true });
  assert.deepEqual(
    [changed.body.name, changed.body.is_required, changed.body.definition],
    ['Stage', true, { options: ['a'] }],
  );
  const wrong = await call('POST', '/apps/gong/config-fields', {
    name: '',
    field_type: 'slider',
    definition: { parent: 'x', options: 'y' },
  });
  assert.equal(wrong.status, 400);
  assert.match(
    wrong.body.message,
    /name: is required.*"slider" does not exist.*options: is not a list.*parent: there is no other field "x"/s,
  );
  const list = (await call('GET', '/apps/gong/config-fields')).body;
  assert.deepEqual([list.fields.length, list.live_options.includes('workspaces')], [1, true]);
  assert.equal(
    (await call('POST', '/apps/nosuchapp/config-fields', { name: 'a', field_type: 'text' })).status,
    404,
  );
  assert.equal((await call('DELETE', `/config-fields/${made.body.id}`)).status, 200);
  assert.equal((await call('DELETE', `/config-fields/${made.body.id}`)).status, 404);
});

test("another organisation's and another environment's ids answer 404, and nobody enters without signing in", async () => {
  const event = (await call('POST', '/events', { name: 'Mine', sample: {} })).body;
  const workflow = (await call('POST', '/workflows', { name: 'Mine' })).body;
  const stranger = await signUp('eve@example.com');
  for (const [path, body] of [
    [`/events/${event.id}`, { name: 'Stolen' }],
    [`/workflows/${workflow.id}`, { name: 'Stolen' }],
  ] as const) {
    assert.equal((await call('PATCH', path, body, stranger)).status, 404);
    assert.equal((await call('DELETE', path, undefined, stranger)).status, 404);
    assert.equal((await call('DELETE', path, undefined, '')).status, 401);
    environment = 'production';
    assert.equal((await call('DELETE', path)).status, 404);
    environment = 'test';
  }
});

test('what came in is listed page by page, with what became of it, and read with its payload', async () => {
  const { body: organization } = await call('GET', '/organization');
  const orgId = organization.id as string;
  const account = await api.addLinkedAccount('inbox', { orgId, environment: 'test' });
  for (const n of [1, 2, 3]) {
    await api.deps.engine.acceptEvent(
      { orgId, environment: 'test' },
      {
        event: 'Paged',
        payload: { n, note: 'x'.repeat(n === 3 ? 50_000 : 1) },
        linkedAccount: account,
        configId: 'inbox',
        dedup: { scope: 'paged', key: n === 2 ? '1' : String(n), windowS: 60 },
      },
    );
  }
  const first = await call('GET', '/received-events?event=Paged&limit=2');
  assert.deepEqual(
    first.body.entries.map((entry: { status: string }) => entry.status),
    ['RECEIVED', 'DUPLICATE'],
  );
  const second = await call('GET', `/received-events?event=Paged&limit=2&before=${first.body.next}`);
  assert.deepEqual([second.body.entries.length, second.body.next], [1, null]);
  const { body } = await call('GET', `/received-events/${first.body.entries[0].id}`);
  assert.deepEqual([body.payload.n, body.payload.note.length, body.account_id], [3, 50_000, 'inbox']);
  assert.equal((await call('GET', '/received-events?event=Paged&status=DUPLICATE')).body.entries.length, 1);
  environment = 'production';
  assert.equal((await call('GET', `/received-events/${first.body.entries[0].id}`)).status, 404);
  environment = 'test';
});
