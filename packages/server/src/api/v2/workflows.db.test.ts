import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTestApi, type TestApi, type TestOrganization } from '#api/testing';
import { findListeners } from '#db/workflow-listeners';

const fired: {
  event: string | null;
  payload: unknown;
  configId: string;
  slug?: string | undefined;
  headers?: unknown;
}[] = [];
let api: TestApi;
let other: TestOrganization;
before(async () => {
  api = await createTestApi({
    engine: {
      acceptEvent: (_tenant, input) => {
        fired.push(input);
        return Promise.resolve({ executions: 0, executionIds: [], isDuplicate: false });
      },
    },
  });
  other = await api.addOrganization('Other Company');
  await api.addLinkedAccount('ada');
  await api.addLinkedAccount('bob');
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
});
after(() => api.close());

const workflows = '/api/v2/public/workflow';
const events = '/api/v2/public/application/event';
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

async function call(method: Method, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const isText = typeof body === 'string';
  const answer = await api.app.inject({
    method,
    url,
    headers: {
      ...(headers['authorization'] === undefined ? { 'x-api-key': api.org.keys.test } : {}),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: isText ? body : JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

async function session(accountId: string): Promise<{ authorization: string }> {
  const { body } = await call('POST', '/api/v2/public/session-token', { linked_account_id: accountId });
  return { authorization: `Bearer ${body.token}` };
}

const start = { id: '1', type: 'start', name: 'Start', data: null };
const listening = (event: string) => ({ ...start, data: { trigger: { kind: 'event', event } } });
const answerNode = (id: string) => ({ id, node_type: 'response', name: `Answer ${id}`, data: { data: 'x' } });

describe('events', () => {
  test('an event is made from a sample, as an object or as text, and lists it flattened', async () => {
    const sample = { order: { no: 1, lines: [1] }, ok: true };
    const made = await call('POST', events, { name: 'Order Created', response: JSON.stringify(sample) });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const event = made.body.find((e: { name: string }) => e.name === 'Order Created');
    assert.deepEqual(event.response, [
      { key: 'order', type: 'object' },
      { key: 'order.no', type: 'text' },
      { key: 'order.lines', type: 'text' },
      { key: 'ok', type: 'text' },
    ]);
    assert.deepEqual(JSON.parse(event.raw_response), sample);
    assert.deepEqual((await call('GET', `${events}/${event._id}`)).body, event);
    assert.deepEqual((await call('GET', `/api/v2/public/event/${event._id}`)).body, event);
  });

  test('what is not a JSON object is refused in words, with the place where text breaks', async () => {
    const table: [response: unknown, message: RegExp][] = [
      ['{"a": 1,\n "b": }', /must be a valid JSON object.*line 2, column 7 \(position \d+\)/],
      ['{"a": 1', /must be a valid JSON object/],
      ['[1]', /It is a list/],
      [[1], /It is a list/],
      ['null', /It is null/],
      [7, /It is a number/],
    ];
    for (const [response, message] of table) {
      const answer = await call('POST', events, { name: 'Bad', response });
      assert.equal(answer.status, 400);
      assert.match(answer.body.message, message);
    }
    assert.match(
      (await call('POST', events, { name: 'Bad' })).body.message,
      /name and response are required/,
    );
    assert.equal((await call('POST', events, '{"name":"B","response":{"__proto__":{"x":1}}}')).status, 400);
    assert.match(
      (await call('POST', events, { name: 'B', response: {}, json_schema: { type: 7 } })).body.message,
      /JSON Schema is refused/,
    );
  });

  test('a name is taken once; change and delete answer as each door promises', async () => {
    const [made] = (await call('POST', events, { name: 'Twice', response: {} })).body.slice(-1);
    const again = await call('POST', events, { name: 'Twice', response: {} });
    assert.deepEqual([again.status, again.body.error_code], [400, 'INVALID_EVENT_ID']);
    const list = await call('PUT', `${events}/${made._id}`, { name: 'Renamed' });
    assert.ok(list.body.some((e: { name: string }) => e.name === 'Renamed'));
    const one = await call('PUT', `/api/v2/public/event/${made._id}`, {
      response: { a: 1 },
      event_id: made._id,
    });
    assert.deepEqual([one.body.name, one.body.raw_response], ['Renamed', '{"a":1}']);
    assert.equal(
      (await call('GET', `${events}/${made._id}`, undefined, { 'x-api-key': other.keys.test })).status,
      404,
    );
    assert.equal(
      (await call('DELETE', `${events}/${made._id}`, undefined, { 'x-api-key': api.org.keys.production }))
        .status,
      404,
    );
    assert.equal((await call('DELETE', `/api/v2/public/event/${made._id}`)).body._id, made._id);
    assert.equal((await call('GET', `${events}/${made._id}`)).status, 404);
    assert.equal((await call('DELETE', '/api/v2/public/event/[object Object]')).status, 404);
  });

  test('every door fires, with the config and app that it names', async () => {
    await call('POST', events, { name: 'Lead', response: { email: 'a@b.c' } });
    const account = { linked_account_id: 'ada' };
    const payload = { email: 'x@y.z' };
    const doors: [url: string, body: object, headers: Record<string, string>][] = [
      ['/api/v2/public/event', { event: 'Lead', payload, linked_account_id: 'ada' }, {}],
      ['/api/v2/public/event/trigger', { event: 'Lead', payload, config_id: 'c1' }, account],
      [
        '/api/v2/public/event/gong',
        { event: 'Lead', payload },
        { ...account, config_id: 'c2', 'include-headers': 'true' },
      ],
      ['/api/v1/event/trigger', { trigger: 'Lead', payload }, { ...account, slug: 'gong' }],
      ['/api/v2/public/event/trigger', { event: 'Lead', payload }, await session('ada')],
    ];
    fired.length = 0;
    for (const [url, body, headers] of doors) {
      const answer = await call('POST', url, body, headers);
      assert.deepEqual(
        [answer.status, answer.body],
        [200, { message: 'Webhook Fired Success' }],
        `${url} ${JSON.stringify(answer.body)}`,
      );
    }
    assert.deepEqual(
      fired.map(({ configId, slug }) => [configId, slug]),
      [
        ['ada', undefined],
        ['c1', undefined],
        ['c2', 'gong'],
        ['ada', 'gong'],
        ['ada', undefined],
      ],
    );
    assert.deepEqual(fired[0]?.payload, payload);
    assert.equal(fired[0]?.headers, undefined);
    assert.equal(JSON.stringify(fired[2]?.headers).includes(api.org.keys.test), false);
  });

  test('a form carries the payload as JSON text, and files join it by their field', async () => {
    const form = (parts: string[]) => ({
      headers: { 'x-api-key': api.org.keys.test, 'content-type': 'multipart/form-data; boundary=XX' },
      payload: `${parts.map((part) => `--XX\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--XX--\r\n`,
    });
    const send = (parts: string[]) =>
      api.app.inject({ method: 'POST', url: '/api/v2/public/event/trigger', ...form(parts) });
    fired.length = 0;
    const fields = [
      'name="event"\r\n\r\nLead',
      'name="linked_account_id"\r\n\r\nada',
      'name="payload"\r\n\r\n{"a":1}',
    ];
    const answer = await send([
      ...fields,
      'name="doc"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello',
    ]);
    assert.equal(answer.statusCode, 200, answer.body);
    assert.deepEqual(fired[0]?.payload, {
      a: 1,
      doc: { filename: 'a.txt', content_type: 'text/plain', size: 5, content: 'aGVsbG8=' },
    });
    assert.equal(
      (await send([...fields.slice(0, 2), 'name="payload"\r\n\r\n{"__proto__":1}'])).statusCode,
      400,
    );
    assert.equal((await send([...fields.slice(0, 2), 'name="payload"\r\n\r\n{'])).statusCode, 400);
    const broken = await api.app.inject({
      method: 'POST',
      url: '/api/v2/public/event/trigger',
      ...form([]),
      payload: 'junk',
    });
    assert.match(broken.json().message, /cannot be read as multipart/);
  });

  test('an unknown name, another case, an unknown app or account and a wrong payload are told apart', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    await call('POST', events, { name: 'Strict', response: { n: 1 }, json_schema: schema });
    const fire = (
      body: object,
      headers: Record<string, string> = { linked_account_id: 'ada' },
      url = '/api/v2/public/event/trigger',
    ) => call('POST', url, body, headers);
    fired.length = 0;
    assert.deepEqual(
      [(await fire({ event: 'strict' })).status, (await fire({ event: 'strict' })).body.error_code],
      [404, 'INVALID_EVENT'],
    );
    assert.equal((await fire({ payload: {} })).status, 400);
    assert.equal((await fire({ event: 'Strict' }, {})).status, 400);
    assert.equal((await fire({ event: 'Strict' }, { linked_account_id: 'nobody' })).status, 404);
    assert.equal(
      (await fire({ event: 'Strict', payload: { n: 1 } }, undefined, '/api/v2/public/event/nosuchapp'))
        .status,
      404,
    );
    const wrong = await fire({ event: 'Strict', payload: { n: 'x' } });
    assert.deepEqual([wrong.status, wrong.body.message], [400, 'payload.n: must be integer']);
    assert.deepEqual(fired, []);
    assert.equal((await fire({ event: 'Strict', payload: { n: 1 } })).status, 200);
  });
});

describe('workflows', () => {
  const create = async (body: object, headers: Record<string, string> = {}) => {
    const answer = await call('POST', workflows, body, headers);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.workflow;
  };

  test('create gives a draft with its start node; both ids lead everywhere', async () => {
    const draft = await create({ name: 'First', slug: 'gong', description: 'd' });
    assert.deepEqual(draft.nodes, [
      {
        id: '1',
        type: 'start',
        node_type: 'start',
        name: 'Start',
        data: null,
        incoming_nodes: [],
        outgoing_nodes: [],
      },
    ]);
    assert.equal(draft.published, false);
    assert.notEqual(draft._id, draft.associated_workflow);
    for (const id of [draft._id, draft.associated_workflow]) {
      assert.equal((await call('GET', `${workflows}/${id}`)).body._id, draft.associated_workflow);
      assert.equal((await call('GET', `${workflows}/${id}/edit`)).body._id, draft._id);
      assert.equal((await call('GET', `${workflows}/versions/${id}`)).body.totalDocs, 0);
      assert.deepEqual((await call('GET', `${workflows}/request-structure/${id}`)).body, {
        payload: null,
        schema: null,
        schema_interpreted: null,
      });
    }
  });

  test('publishing snapshots a version, again changes nothing, and an older number restores it', async () => {
    const draft = await create({
      name: 'Versions',
      nodes: [start, answerNode('2')],
      edges: [{ source: '1', target: '2' }],
    });
    const parent = draft.associated_workflow;
    const publish = (body: object, id = draft._id) => call('PUT', `${workflows}/${id}/publish`, body);
    const first = await publish({ published: true, description: 'one' });
    assert.deepEqual(
      [first.body._id, first.body.published, first.body.current_version],
      [parent, true, 1],
      JSON.stringify(first.body),
    );
    assert.equal((await publish({ published: true })).body.current_version, 1);
    const edited = await call('PUT', `${workflows}/${parent}`, { nodes: [start], edges: [] });
    assert.equal(edited.body.nodes.length, 1, JSON.stringify(edited.body));
    assert.equal(
      (await call('GET', `${workflows}/${parent}`)).body.nodes.length,
      2,
      'the published one is not touched',
    );
    assert.equal((await publish({})).body.current_version, 2);
    assert.equal((await publish({ version: 1 })).body.current_version, 1);
    assert.equal((await call('GET', `${workflows}/${parent}`)).body.nodes.length, 2);
    assert.equal((await publish({ version: 9 })).body.current_version, 9);
    const versions = (await call('GET', `${workflows}/versions/${draft._id}`)).body;
    assert.deepEqual(
      versions.docs.map((v: { version: number }) => v.version),
      [9, 2, 1],
    );
    const off = await publish({ published: false }, parent);
    assert.deepEqual([off.body.published, off.body.current_version], [false, undefined]);
  });

  test('a workflow with a cycle, an unknown event or code in braces is refused with its node', async () => {
    const refused = async (nodes: object[], edges: object[], message: RegExp) => {
      const answer = await call('POST', workflows, { name: 'Bad', nodes, edges });
      assert.equal(answer.status, 400);
      assert.match(answer.body.message, message);
    };
    await refused(
      [start, { ...answerNode('2'), node_type: 'start2' }],
      [],
      /node "Answer 2" \(2\): "start2" is not a node type/,
    );
    await refused(
      [start, { ...answerNode('2'), data: { data: '{{event.a + 1}}' } }],
      [],
      /is not a template/,
    );
    const draft = await create({ name: 'Unknown event', nodes: [listening('No Such Event')] });
    const publish = await call('PUT', `${workflows}/${draft._id}/publish`, { published: true });
    assert.equal(publish.status, 400);
    assert.match(publish.body.message, /"No Such Event", which does not exist/);
    const loose = await create({ name: 'Loose', nodes: [start, answerNode('2')], edges: [] });
    assert.match(
      (await call('PUT', `${workflows}/${loose._id}/publish`, {})).body.message,
      /node "Answer 2" \(2\) is not reached/,
    );
    assert.equal((await call('POST', workflows, '{"name":"x","settings":{"__proto__":{}}}')).status, 400);
    assert.equal((await call('POST', workflows, { description: 'no name' })).status, 400);
    assert.equal(
      (await call('POST', workflows, { name: 'x', slug: 'nosuchapp' })).body.error_code,
      'INVALID_APP_ID',
    );
  });

  test('a circle of nodes is named', async () => {
    // Only the start node has a way out among the types registered here, so the circle goes over it.
    const answer = await call('POST', workflows, {
      name: 'C',
      nodes: [start],
      edges: [{ source: '1', target: '1' }],
    });
    assert.equal(answer.status, 400);
    assert.match(answer.body.message, /edges\[0\]: leads from node "Start" \(1\) into the start node/);
  });

  test('two who edit the same draft: the second is told', async () => {
    const draft = await create({ name: 'Edited' });
    const first = await call('PUT', `${workflows}/${draft._id}`, {
      name: 'A',
      draft_revision: draft.draft_revision,
    });
    assert.equal(first.status, 200);
    const second = await call('PUT', `${workflows}/${draft._id}`, {
      name: 'B',
      draft_revision: draft.draft_revision,
    });
    assert.equal(second.status, 409);
    assert.match(second.body.message, /changed by somebody else/);
  });

  test('an alias is unique inside an app', async () => {
    await create({ name: 'A', slug: 'gong', workflow_alias: 'sync' });
    const answer = await call('POST', workflows, { name: 'B', slug: 'gong', workflow_alias: 'sync' });
    assert.deepEqual([answer.status, /alias "sync" is used/.test(answer.body.message)], [400, true]);
    await create({ name: 'C', workflow_alias: 'sync' });
  });

  test("an account's own workflows are listed for it, and refused to others", async () => {
    const ada = await session('ada');
    const bob = await session('bob');
    const own = await create({ name: 'Own of Ada', slug: 'gong' }, ada);
    assert.equal(own.public_access_workflow, true);
    const listed = (await call('GET', workflows, undefined, ada)).body;
    assert.deepEqual(
      listed.docs.map((w: { name: string }) => w.name),
      ['Own of Ada'],
    );
    assert.equal('nodes' in listed.docs[0], false);
    assert.equal((await call('GET', workflows, undefined, bob)).body.totalDocs, 0);
    for (const headers of [bob, { linked_account_id: 'bob' }]) {
      assert.equal((await call('GET', `${workflows}/${own._id}`, undefined, headers)).status, 403);
      assert.equal((await call('DELETE', `${workflows}/${own._id}`, undefined, headers)).status, 403);
    }
    assert.equal((await call('GET', `${workflows}/${own._id}`)).status, 200);
    const names = (await call('GET', `${workflows}?limit=100`)).body.docs.map(
      (w: { name: string }) => w.name,
    );
    assert.ok(!names.includes('Own of Ada'));
    const scoped = (await call('GET', `${workflows}?scope=private`)).body.docs.map(
      (w: { name: string }) => w.name,
    );
    assert.deepEqual(scoped, ['Own of Ada']);
    const shared = await create({ name: 'Of the organisation', slug: 'gong' });
    assert.equal((await call('GET', `${workflows}/${shared._id}`, undefined, bob)).status, 200);
    assert.equal((await call('DELETE', `${workflows}/${shared._id}`, undefined, bob)).status, 403);
    assert.equal((await call('PUT', `${workflows}/${shared._id}/publish`, {}, bob)).status, 403);
  });

  test("a customer sees that an organisation's workflow exists, and neither its draft nor what its nodes hold", async () => {
    const shared = await create({ name: 'With a key in a header' });
    const answer = await call('GET', `${workflows}/${shared._id}`, undefined, await session('bob'));
    assert.deepEqual([answer.status, answer.body.name], [200, 'With a key in a header']);
    assert.deepEqual(['nodes' in answer.body, 'edges' in answer.body], [false, false]);
    const draft = await call('GET', `${workflows}/${shared._id}/edit`, undefined, await session('bob'));
    assert.equal(draft.status, 403);
    const byKey = await call('GET', `${workflows}/${shared._id}/edit`, undefined, {
      linked_account_id: 'bob',
    });
    assert.ok(Array.isArray(byKey.body.nodes));
  });

  test("another organisation's id and another environment's answer 404", async () => {
    const draft = await create({ name: 'Mine' });
    for (const key of [other.keys.test, api.org.keys.production]) {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/edit'],
        ['PUT', '/publish'],
        ['DELETE', ''],
      ] as const) {
        const answer = await call(
          method,
          `${workflows}/${draft._id}${path}`,
          method === 'PUT' ? {} : undefined,
          { 'x-api-key': key },
        );
        assert.deepEqual([answer.status, answer.body.error_code], [404, 'INVALID_WORKFLOW_ID']);
      }
    }
  });

  test('delete takes the workflow away, and answers with all four words', async () => {
    const draft = await create({ name: 'Gone' });
    const answer = await call('DELETE', `${workflows}/${draft._id}`);
    assert.deepEqual(Object.keys(answer.body).toSorted(), [
      'message',
      'success',
      'successfullyDeletedTriggers',
      'triggers_deregistered',
    ]);
    assert.equal((await call('GET', `${workflows}/${draft.associated_workflow}`)).status, 404);
  });

  test('filters: name, published, app', async () => {
    await create({ name: 'Very Special NAME', slug: 'gong' });
    const named = (await call('GET', `${workflows}?name=special%20name&slug=gong,other`)).body;
    assert.deepEqual([named.totalDocs, named.docs[0].name, named.schema], [1, 'Very Special NAME', null]);
    assert.equal((await call('GET', `${workflows}?name=special&published=true`)).body.totalDocs, 0);
  });
});

describe('who listens to an event', () => {
  test('published and own, or switched on in the chosen config, or switching itself on where the app is connected', async () => {
    const { tenant } = api.org;
    const { db } = api.database;
    const account = await api.addLinkedAccount('carol');
    const namesFor = async (configId = 'carol', slug?: string) => {
      const found = await findListeners(api.database.pool, tenant, {
        event: 'Ping',
        linkedAccountId: account.id,
        configId,
        slug,
      });
      const rows = await db.selectFrom('workflow').select(['id', 'name']).execute();
      return found
        .map(({ workflowId }) => rows.find((row) => row.id === workflowId)?.name ?? '')
        .toSorted((a, b) => a.localeCompare(b));
    };
    await call('POST', events, { name: 'Ping', response: {} });
    const make = async (name: string, body: object = {}, headers = {}) => {
      const made = await call('POST', workflows, { name, nodes: [listening('Ping')], ...body }, headers);
      assert.equal(made.status, 200, JSON.stringify(made.body));
      await call('PUT', `${workflows}/${made.body.workflow._id}/publish`, {});
      return made.body.workflow.associated_workflow as string;
    };
    await make('own', {}, await session('carol'));
    await make('of another', {}, await session('bob'));
    const switched = await make('switched on', { slug: 'gong' });
    await make('switched off', { slug: 'gong' });
    const auto = await make('by itself', { slug: 'gong', autoEnable: true });
    await make('not for carol', {
      slug: 'gong',
      autoEnable: true,
      udf_filter: [{ key: 'plan', value: 'pro' }],
    });
    const unpublished = await make('unpublished', { slug: 'gong', autoEnable: true });
    await call('PUT', `${workflows}/${unpublished}/publish`, { published: false });

    assert.deepEqual(await namesFor(), ['own']);
    const scope = { org_id: tenant.orgId, environment: tenant.environment } as const;
    await db
      .insertInto('config')
      .values({
        id: 'c'.repeat(24),
        ...scope,
        linked_account_id: account.id,
        app_slug: 'gong',
        config_id: 'carol',
      })
      .execute();
    await db
      .insertInto('config_workflow')
      .values({ config_pk: 'c'.repeat(24), workflow_id: switched, ...scope, is_enabled: true })
      .execute();
    assert.deepEqual(await namesFor(), ['by itself', 'own', 'switched on']);
    assert.deepEqual(await namesFor('carol', 'gong'), ['by itself', 'switched on']);
    assert.deepEqual(await namesFor('other config'), ['own']);
    await db
      .insertInto('config_workflow')
      .values({ config_pk: 'c'.repeat(24), workflow_id: auto, ...scope, is_enabled: false })
      .execute();
    assert.deepEqual(await namesFor(), ['own', 'switched on']);
    assert.deepEqual(
      (await call('GET', `${workflows}/enabled`, undefined, { linked_account_id: 'carol' })).body.map(
        (w: { name: string; config_id: string }) => [w.name, w.config_id],
      ),
      [
        ['switched on', 'carol'],
        ['not for carol', 'carol'],
      ],
    );
  });
});
