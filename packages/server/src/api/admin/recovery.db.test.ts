import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { z } from 'zod';
import type { recordShape } from '#api/admin/recovery-shape';
import { createTestApi, type TestApi } from '#api/testing';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/** What the app does with a request: by the `order` in its body, the last word of its path without one. */
type Answer = 'ok' | 'refuse' | 'drop' | 'hold';

let api: TestApi;
let cookie: string;
let strangersCookie: string;
let tenant: Tenant;
let ann: LinkedAccountRef;
let server: Server;
const answers = new Map<string, Answer>();
/** Orders that came in, in order. */
const received: string[] = [];
const held: (() => void)[] = [];

before(async () => {
  api = await createTestApi();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const order = body === '' ? request.url!.split('/').at(-1)! : String(JSON.parse(body).order);
      received.push(order);
      const answer = answers.get(order) ?? 'ok';
      const reply = (status: number): void => {
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(JSON.stringify({ order, at: 'app' }));
      };
      if (answer === 'drop') request.socket.destroy();
      else if (answer === 'hold') held.push(() => reply(200));
      else reply(answer === 'refuse' ? 409 : 200);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cookie = await signUp('ada', 'Ops');
  strangersCookie = await signUp('eve', 'Strangers');
  const { rows } = await api.database.pool.query<{ id: string }>(
    `select id from organization where name = 'Ops'`,
  );
  tenant = { orgId: rows[0]!.id, environment: 'test' };
  ann = await api.addLinkedAccount('ann', tenant);
});
after(async () => {
  for (const reply of held) reply();
  server.closeAllConnections();
  server.close();
  await api.close();
});

async function signUp(name: string, organization: string): Promise<string> {
  const body = { email: `${name}@example.com`, password: 'correct horse', name, organization };
  const answer = await api.app.inject({ method: 'POST', url: '/api/admin/sign-up', payload: body });
  return answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type As = { readonly cookie?: string; readonly environment?: string };

async function call(method: Method, path: string, payload?: object, as: As = {}) {
  const answer = await api.app.inject({
    method,
    url: `/api/admin${path}`,
    headers: { cookie: as.cookie ?? cookie, 'x-inlay-environment': as.environment ?? 'test' },
    ...(payload !== undefined && { payload }),
  });
  const isJson = answer.headers['content-type']?.toString().includes('json') === true;
  return { status: answer.statusCode, text: answer.body, body: isJson ? answer.json() : undefined };
}

/** The body of a call that must go well. */
async function ok(method: Method, path: string, payload?: object) {
  const answer = await call(method, path, payload);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(performance.now() < end, `30 seconds passed before ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const record = (id: string) => ok('GET', `/recovery-records/${id}`);
const reached = (id: string, status: string) =>
  until(async () => {
    const found = await record(id);
    return found.status === status ? found : undefined;
  }, `the record is ${status}`);

async function ended(executionId: string) {
  return until(async () => {
    const detail = await api.deps.engine.read(tenant, executionId);
    return detail.header.finishedAt === null ? undefined : detail;
  }, 'the execution ends');
}

type Node = readonly [id: string, type: string, data?: object, more?: object];
type Edge = readonly [source: string, target: string, port?: string];

async function publish(nodes: readonly Node[], edges: readonly Edge[], name = 'Orders'): Promise<string> {
  const id = newId();
  const document = {
    nodes: [['1', 'start'] as Node, ...nodes].map(([nodeId, node_type, data = {}, more = {}]) => ({
      id: nodeId,
      node_type,
      name: `Node ${nodeId}`,
      data,
      ...more,
    })),
    edges: edges.map(([source, target, source_handle]) => ({ source, target, source_handle })),
  };
  await api.database.pool.query(
    `with w as (insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
       values ($1, $1 || '-draft', $2, 'test', $4, '{}', 1) returning id)
     insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     select $1, $2, 'test', id, 1, $3 from w`,
    [id, tenant.orgId, JSON.stringify(document), name],
  );
  return id;
}

/** A POST, which is a `once` call: nobody may send it twice when nobody knows whether it arrived. */
const post = (id: string, order: string, more: object = {}): Node => [
  id,
  'http',
  {
    method: 'POST',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`,
    body: { order },
  },
  { retry_policy: { max_attempts: 1 }, ...more },
];
const get = (id: string, order: string, more: object = {}): Node => [
  id,
  'http',
  { method: 'GET', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${order}` },
  { retry_policy: { max_attempts: 1 }, ...more },
];

async function start(workflowId: string, payload: unknown, account = ann): Promise<string> {
  const { executionId } = await api.deps.engine.startExecution(tenant, {
    workflowId,
    version: 1,
    linkedAccount: account,
    configId: account.accountId,
    source: 'api_call',
    payload,
  });
  return executionId;
}
const run = async (workflowId: string, payload: unknown) => ended(await start(workflowId, payload));

/** A workflow that sends an order and keeps the failure in a queue. */
const keeping = (queue: string, dedupKey = '') =>
  publish(
    [
      ['2', 'try_catch'],
      post('3', '{{event.order}}', { parent_id: '2' }),
      [
        '4',
        'recovery_queue',
        { queue, columns: { order: '{{event.order}}' }, ...(dedupKey !== '' && { dedup_key: dedupKey }) },
        { parent_id: '2' },
      ],
      post('5', 'after-{{event.order}}'),
    ],
    [
      ['1', '2'],
      ['2', '3', 'try'],
      ['2', '4', 'catch'],
      ['2', '5'],
    ],
  );

const createQueue = async (name: string, more: object = {}): Promise<string> =>
  (await ok('POST', '/recovery-queues', { name, columns: [{ name: 'order', label: 'Order' }], ...more })).id;

async function records(query: string) {
  return (await ok('GET', `/recovery-records?${query}`)).records as z.output<typeof recordShape>[];
}

async function theRecord(query: string) {
  const found = await records(query);
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0]!;
}

/** Fails an order and answers the id of its record. */
async function failed(workflowId: string, order: string): Promise<string> {
  answers.set(order, 'refuse');
  const { header } = await run(workflowId, { order });
  return (await theRecord(`search=${order}&account=${header.accountId}&workflow=${workflowId}`)).id;
}

const timesSent = (order: string): number => received.filter((one) => one === order).length;

describe('a resolution workflow', () => {
  test('gets the record with its context, resolves it by its success, and gives it back by its failure', async () => {
    const resolve = await publish([get('2', 'fix-{{event.columns.order}}')], [['1', '2']], 'Fix');
    const queue = await createQueue('fixed', { resolution_workflow_id: resolve });
    const workflow = await keeping('fixed');
    const id = await failed(workflow, 'a1');
    const edited = await ok('PATCH', `/recovery-records/${id}`, { context: { note: 'call them' } });
    assert.deepEqual(edited.context, { note: 'call them' });
    answers.set('fix-a1', 'refuse');
    const first = await ok('POST', `/recovery-records/${id}/resend`);
    const open = await reached(id, 'open');
    assert.equal(open.attempts, 1);
    assert.match(open.last_error, /409/);
    answers.set('fix-a1', 'ok');
    const second = await ok('POST', `/recovery-records/${id}/resend`);
    const done = await reached(id, 'resolved');
    assert.deepEqual(
      [done.attempts, done.resolution, done.last_error, done.resolving_execution_id],
      [2, 'workflow', null, second.execution_id],
    );
    const [trigger] = (await ended(first.execution_id)).nodes;
    const { execution_id, root_execution_id, ...given } = trigger!.output as Record<string, unknown>;
    assert.equal(execution_id, root_execution_id);
    assert.deepEqual(given, {
      record_id: id,
      queue: 'fixed',
      payload: { order: 'a1' },
      columns: { order: 'a1' },
      context: { note: 'call them' },
      error: { type: 'refused', message: open.error, node_id: '3', node_name: 'Node 3' },
      workflow_id: workflow,
      workflow_version: 1,
      count: 1,
      attempt: 1,
    });
    assert.equal((await ok('GET', `/recovery-queues/${queue}`)).waiting, 0);
  });

  test('runs once for a record, however many ask at the same time', async () => {
    const resolve = await publish([get('2', 'hold-{{event.columns.order}}')], [['1', '2']]);
    await createQueue('once', { resolution_workflow_id: resolve });
    const id = await failed(await keeping('once'), 'b1');
    answers.set('hold-b1', 'hold');
    const asked = await Promise.all(
      Array.from({ length: 5 }, () => call('POST', `/recovery-records/${id}/resend`)),
    );
    assert.deepEqual(
      asked.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 400, 400, 400, 400],
    );
    assert.match(asked.find(({ status }) => status === 400)!.body.message, /is being resolved by execution/);
    await until(async () => held.shift(), 'the workflow calls').then((reply) => reply());
    assert.equal((await reached(id, 'resolved')).attempts, 1);
    assert.equal(timesSent('hold-b1'), 1);
  });

  test('whose worker is lost is taken over, and its end settles the record all the same', async () => {
    const resolve = await publish([get('2', 'lost-{{event.columns.order}}')], [['1', '2']]);
    await createQueue('lost', { resolution_workflow_id: resolve });
    const id = await failed(await keeping('lost'), 'c1');
    answers.set('lost-c1', 'hold');
    const { execution_id } = await ok('POST', `/recovery-records/${id}/resend`);
    await until(async () => (held.length > 0 ? true : undefined), 'the workflow calls');
    answers.set('lost-c1', 'ok');
    await api.database.pool.query(
      `update worker set heartbeat_at = '-infinity', is_alive = false
       where id = (select owner from execution where id = $1)`,
      [execution_id],
    );
    const done = await reached(id, 'resolved');
    assert.deepEqual([done.resolving_execution_id, done.attempts], [execution_id, 1]);
    assert.equal(timesSent('lost-c1'), 2);
    for (const reply of held.splice(0)) reply();
  });

  test('does not resolve a failure that came in again meanwhile', async () => {
    const resolve = await publish([get('2', 'again-{{event.columns.order}}')], [['1', '2']]);
    await createQueue('again', { resolution_workflow_id: resolve });
    const workflow = await keeping('again', 'the same');
    const id = await failed(workflow, 'd1');
    answers.set('again-d1', 'hold');
    await ok('POST', `/recovery-records/${id}/resend`);
    const reply = await until(async () => held.shift(), 'the workflow calls');
    answers.set('d2', 'refuse');
    await run(workflow, { order: 'd2' });
    reply();
    const open = await reached(id, 'open');
    assert.deepEqual([open.count, open.payload, open.attempts], [2, { order: 'd2' }, 1]);
  });

  test('gets the true values of what is masked in the record, and shows them to nobody either', async () => {
    const pin = 'pin-51H8xT0p';
    const resolve = await publish([get('2', 'with-{{event.payload.pin}}')], [['1', '2']]);
    await createQueue('secret', { resolution_workflow_id: resolve });
    answers.set('u1', 'refuse');
    const workflow = await publish(
      [
        get('2', pin, { custom_output: { encrypt: ['body.order'] } }),
        ['3', 'try_catch'],
        post('4', 'u1', { parent_id: '3' }),
        [
          '5',
          'recovery_queue',
          { queue: 'secret', payload: { pin: '{{node.2.body.body.order}}' } },
          { parent_id: '3' },
        ],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['3', '4', 'try'],
        ['3', '5', 'catch'],
      ],
    );
    const { header } = await run(workflow, {});
    const { id } = await theRecord(`execution=${header.id}`);
    assert.deepEqual((await record(id)).payload, { pin: '[REDACTED]' });
    const { execution_id } = await ok('POST', `/recovery-records/${id}/resend`);
    await reached(id, 'resolved');
    assert.equal(timesSent(`with-${pin}`), 1);
    assert.doesNotMatch((await call('GET', `/executions/${execution_id}`)).text, new RegExp(pin));
  });

  test('stopped before its end gives the record back', async () => {
    const resolve = await publish([get('2', 'stop-{{event.columns.order}}')], [['1', '2']]);
    await createQueue('stopped', { resolution_workflow_id: resolve });
    const id = await failed(await keeping('stopped'), 'e1');
    answers.set('stop-e1', 'hold');
    const { execution_id } = await ok('POST', `/recovery-records/${id}/resend`);
    await until(async () => (held.length > 0 ? true : undefined), 'the workflow calls');
    await ok('POST', `/executions/${execution_id}/stop`);
    assert.equal((await reached(id, 'open')).last_error, 'stopped');
    for (const reply of held.splice(0)) reply();
  });
});

describe('without a resolution workflow', () => {
  test('a resend repeats what failed, in its iteration only, with what follows it', async () => {
    await createQueue('items');
    const workflow = await publish(
      [
        ['2', 'loop', { fanout_array: '{{event.orders}}' }],
        ['3', 'try_catch', {}, { parent_id: '2' }],
        post('4', '{{array_item}}', { parent_id: '3' }),
        ['5', 'recovery_queue', { queue: 'items', columns: { order: '{{array_item}}' } }, { parent_id: '3' }],
      ],
      [
        ['1', '2'],
        ['2', '3', 'body'],
        ['3', '4', 'try'],
        ['3', '5', 'catch'],
      ],
    );
    for (const order of ['f2', 'f3']) answers.set(order, 'refuse');
    const first = await run(workflow, { orders: ['f1', 'f2', 'f3'] });
    assert.equal(first.header.state, 'completed');
    // Iterations run at the same time: whichever failed first is the older record.
    const kept = await records('queue=items');
    const [two, three] = ['2:1/3:0', '2:2/3:0'].map((batch) =>
      kept.find(({ failed_node }) => failed_node.batch === batch),
    );
    assert.deepEqual([two!.failed_node.batch, three!.failed_node.batch], ['2:1/3:0', '2:2/3:0']);
    // Still broken: the record is open again, the same one, with one more failure.
    const { execution_id } = await ok('POST', `/recovery-records/${two!.id}/resend`);
    const again = await reached(two!.id, 'open');
    assert.deepEqual([again.count, again.attempts, again.execution.id], [2, 1, execution_id]);
    answers.set('f2', 'ok');
    await ok('POST', `/recovery-records/${two!.id}/resend`);
    assert.equal((await reached(two!.id, 'resolved')).resolution, 'sent_again');
    assert.deepEqual(['f1', 'f2', 'f3'].map(timesSent), [1, 3, 1]);
    assert.equal((await record(three!.id)).status, 'open');
  });

  test('a resend after a retry by hand goes on from there, and sends nothing that has been sent', async () => {
    await createQueue('by-hand');
    const workflow = await keeping('by-hand');
    const id = await failed(workflow, 'g1');
    const { execution, failed_node } = await record(id);
    answers.set('g1', 'ok');
    const body = { from: 'node', node_id: failed_node.id, batch: failed_node.batch };
    const { executionId } = await api.deps.engine.retry(tenant, execution.id, {
      from: 'node',
      nodeId: body.node_id,
      batch: body.batch,
    });
    await ended(executionId);
    const resent = await ok('POST', `/recovery-records/${id}/resend`);
    assert.deepEqual([resent.execution_id, resent.record.status], [null, 'resolved']);
    assert.equal(timesSent('g1'), 2);
  });
});

describe('a call of unknown outcome', () => {
  const unknown = (executionId: string) => records(`type=unknown_outcome&execution=${executionId}`);
  async function lost(workflowId: string, order: string, payload: object = { order }) {
    answers.set(order, 'drop');
    const { header } = await run(workflowId, payload);
    answers.set(order, 'ok');
    const [found, ...others] = await unknown(header.id);
    assert.equal(others.length, 0);
    return { id: found!.id, executionId: header.id, state: header.state };
  }
  const chain = () =>
    publish(
      [post('2', '{{event.order}}'), post('3', 'then-{{node.2.body.order}}-{{node.2.status_code}}')],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    );

  test('that arrived is not sent again: the run goes on with the output that was given', async () => {
    const { id, executionId } = await lost(await chain(), 'h1');
    const given = { output: { order: 'given' }, status_code: 201 };
    const { execution_id, record: ended_ } = await ok('POST', `/recovery-records/${id}/arrived`, given);
    assert.deepEqual([ended_.status, ended_.resolution], ['resolved', 'arrived']);
    const { header, nodes } = await ended(execution_id);
    assert.deepEqual([header.state, header.retryOf], ['completed', executionId]);
    assert.deepEqual(nodes[1]!.output, { order: 'given' });
    assert.match(nodes[1]!.console[0]!.text, /somebody said that the call had arrived/);
    assert.deepEqual([timesSent('h1'), timesSent('then-given-201')], [1, 1]);
    const twice = await call('POST', `/recovery-records/${id}/arrived`, given);
    assert.match(twice.body.message, /is resolved: nothing is left to do/);
  });

  test('that arrived stays so in every later retry, by whichever door', async () => {
    const { id, executionId } = await lost(await chain(), 'i1');
    answers.set('then-i-', 'refuse');
    const { execution_id } = await ok('POST', `/recovery-records/${id}/arrived`, { output: { order: 'i' } });
    assert.equal((await ended(execution_id)).header.state, 'errored');
    answers.set('then-i-', 'ok');
    // Both of what came of it, and of the execution in which nobody knew.
    for (const from of [execution_id, executionId]) {
      const { executionId: retry } = await api.deps.engine.retry(tenant, from, { from: 'failure' });
      assert.equal((await ended(retry)).header.state, 'completed');
    }
    assert.equal(timesSent('i1'), 1);
  });

  test('inside a loop goes on in its iteration, and the others stay as they are', async () => {
    const workflow = await publish(
      [
        ['2', 'loop', { fanout_array: '{{event.orders}}', output_data: '{{node.4.body.body.order}}' }],
        post('3', '{{array_item}}', { parent_id: '2' }),
        post('4', 'then-{{node.3.body.body.order}}', { parent_id: '2' }),
      ],
      [
        ['1', '2'],
        ['2', '3', 'body'],
        ['3', '4'],
      ],
    );
    const { id } = await lost(workflow, 'j2', { orders: ['j1', 'j2', 'j3'] });
    const { execution_id } = await ok('POST', `/recovery-records/${id}/arrived`, {
      output: { body: { order: 'jj' } },
    });
    const { header, nodes } = await ended(execution_id);
    assert.equal(header.state, 'completed', header.errorText ?? '');
    assert.equal((nodes[1]!.output as { successful_iterations: number }).successful_iterations, 3);
    assert.deepEqual(['j1', 'j2', 'j3', 'then-j1', 'then-jj', 'then-j3'].map(timesSent), [1, 1, 1, 1, 1, 1]);
  });

  test('inside a sub-flow goes on in the sub-flow, and then in what waited for it', async () => {
    const child = await chain();
    const parent = await publish(
      [
        [
          '2',
          'sub_flow',
          { workflow: child, payload: { order: '{{event.order}}' }, wait_for_completion: true },
        ],
        post('3', 'parent-{{event.order}}'),
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    );
    answers.set('k1', 'drop');
    const first = await run(parent, { order: 'k1' });
    answers.set('k1', 'ok');
    assert.equal(first.header.state, 'errored', JSON.stringify(first.nodes));
    const [found] = await unknown(first.header.id);
    assert.notEqual(found!.execution.id, first.header.id);
    const { execution_id } = await ok('POST', `/recovery-records/${found!.id}/arrived`, {
      output: { order: 'kk' },
    });
    const again = await ended(execution_id);
    assert.deepEqual([again.header.state, again.header.retryOf], ['completed', first.header.id]);
    assert.deepEqual(['k1', 'then-kk-', 'parent-k1'].map(timesSent), [1, 1, 1]);
  });

  test('inside a sub-flow goes on from the youngest retry of what waited for it', async () => {
    const child = await chain();
    const parent = await publish(
      [
        post('5', 'pre-{{event.order}}'),
        [
          '2',
          'sub_flow',
          { workflow: child, payload: { order: '{{event.order}}' }, wait_for_completion: true },
        ],
        post('3', 'parent-{{event.order}}'),
      ],
      [
        ['1', '5'],
        ['5', '2'],
        ['2', '3'],
      ],
    );
    answers.set('kx1', 'drop');
    const first = await run(parent, { order: 'kx1' });
    answers.set('kx1', 'ok');
    answers.set('pre-kx1', 'refuse');
    const again = { from: 'node', nodeId: '5' } as const;
    const { executionId } = await api.deps.engine.retry(tenant, first.header.id, again);
    assert.equal((await ended(executionId)).header.failedNodeId, '5');
    answers.set('pre-kx1', 'ok');
    const [found] = await unknown(first.header.id);
    const { execution_id } = await ok('POST', `/recovery-records/${found!.id}/send-again`);
    const last = await ended(execution_id);
    assert.deepEqual([last.header.state, last.header.retryOf], ['completed', executionId]);
    assert.deepEqual(['pre-kx1', 'kx1', 'parent-kx1'].map(timesSent), [3, 2, 1]);
  });

  test('is sent again once, however many ask, and what finished is kept', async () => {
    const workflow = await publish(
      [post('2', 'before-{{event.order}}'), post('3', '{{event.order}}')],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    );
    const { id, executionId } = await lost(workflow, 'l1');
    const asked = await Promise.all([1, 2, 3].map(() => call('POST', `/recovery-records/${id}/send-again`)));
    assert.deepEqual(
      asked.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 400, 400],
    );
    const done = await reached(id, 'resolved');
    assert.deepEqual([done.resolution, done.attempts], ['sent_again', 1]);
    assert.equal((await ended(done.resolving_execution_id)).header.retryOf, executionId);
    assert.deepEqual([timesSent('before-l1'), timesSent('l1')], [1, 2]);
  });

  test('in each of two branches is a record of its own, and both calls are sent again by one retry', async () => {
    const workflow = await publish(
      [post('2', '{{event.a}}'), post('3', '{{event.b}}')],
      [
        ['1', '2'],
        ['1', '3'],
      ],
    );
    for (const order of ['ll1', 'll2']) answers.set(order, 'drop');
    const { header } = await run(workflow, { a: 'll1', b: 'll2' });
    for (const order of ['ll1', 'll2']) answers.set(order, 'ok');
    const kept = await unknown(header.id);
    assert.deepEqual(kept.map(({ failed_node }) => failed_node.id).toSorted(), ['2', '3']);
    const asked = await Promise.all(kept.map(({ id }) => call('POST', `/recovery-records/${id}/send-again`)));
    assert.deepEqual(
      asked.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 400],
    );
    await ended(asked.find(({ status }) => status === 200)!.body.execution_id);
    // What the other one was about has been done with it.
    const left = kept[asked.findIndex(({ status }) => status === 400)]!;
    const answer = await ok('POST', `/recovery-records/${left.id}/send-again`);
    assert.deepEqual([answer.execution_id, answer.record.status], [null, 'resolved']);
    assert.deepEqual(['ll1', 'll2'].map(timesSent), [2, 2]);
  });

  test('that is unknown again is the same record, open again', async () => {
    const { id } = await lost(await chain(), 'm1');
    answers.set('m1', 'drop');
    await ok('POST', `/recovery-records/${id}/send-again`);
    const open = await reached(id, 'open');
    assert.deepEqual([open.count, open.attempts], [2, 1]);
  });

  test('that the workflow has dealt with is resolved, and nothing runs', async () => {
    const workflow = await publish([post('2', '{{event.order}}', { skip_on_error: true })], [['1', '2']]);
    const { id, state } = await lost(workflow, 'n1');
    assert.equal(state, 'completed');
    const answer = await ok('POST', `/recovery-records/${id}/arrived`, { output: {} });
    assert.deepEqual([answer.execution_id, answer.record.status], [null, 'resolved']);
  });

  test('is none when the request certainly was not sent', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}/`;
    await new Promise((resolve) => closed.close(resolve));
    const more = { retry_policy: { max_attempts: 2, delay: 1 } };
    const workflow = await publish([['2', 'http', { method: 'POST', url }, more]], [['1', '2']]);
    const { header, nodes } = await run(workflow, {});
    assert.equal(header.state, 'errored');
    assert.equal(nodes[1]!.attempts.filter(({ kind }) => kind === 'outcome').length, 2, 'it is tried again');
    assert.deepEqual(await unknown(header.id), []);
  });

  test('hides the given output where the node hides its own', async () => {
    const workflow = await publish(
      [
        post('2', '{{event.order}}', { custom_output: { encrypt: ['iban'] } }),
        get('3', 'seen-{{node.2.body.iban}}'),
      ],
      [
        ['1', '2'],
        ['2', '3'],
      ],
    );
    const { id } = await lost(workflow, 'o1');
    const output = { iban: 'DE02120300000000202051' };
    const { execution_id } = await ok('POST', `/recovery-records/${id}/arrived`, { output });
    const { nodes } = await ended(execution_id);
    assert.deepEqual(nodes[1]!.output, { iban: '[REDACTED]' });
    assert.equal(timesSent('seen-DE02120300000000202051'), 1);
    const { rows } = await api.database.pool.query(
      `select 1 from journal where execution_id = $1 and output::text like '%DE0212%'`,
      [execution_id],
    );
    assert.equal(rows.length, 0);
  });
});

test('records are found by queue, workflow, type, account, time and text, page after page', async () => {
  const queue = await createQueue('found');
  const workflow = await keeping('found');
  const ids: string[] = [];
  for (const order of ['p1', 'p2', 'p3']) ids.unshift(await failed(workflow, order));
  const found = async (query: string) => (await records(query)).map(({ id }) => id);
  assert.deepEqual(await found('queue=found'), ids);
  assert.deepEqual(await found(`queue=${queue}&search=P2`), [ids[1]]);
  assert.deepEqual(await found(`workflow=${workflow}&type=refused&account=ann&status=OPEN`), ids);
  assert.deepEqual(await found('queue=found&type=timeout'), []);
  assert.deepEqual(await found('queue=found&account=bob'), []);
  assert.deepEqual(await found('queue=found&search=%25'), [], 'a sign of SQL is a letter like any other');
  const { last_seen_at } = await record(ids[1]!);
  assert.deepEqual(await found(`queue=found&from=${last_seen_at}`), ids.slice(0, 2));
  assert.deepEqual(await found(`queue=found&to=${last_seen_at}`), ids.slice(2));
  const paged: string[] = [];
  for (let cursor = ''; ;) {
    const page = await ok('GET', `/recovery-records?queue=found&limit=1&cursor=${cursor}`);
    paged.push(...page.records.map(({ id }: { id: string }) => id));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  assert.deepEqual(paged, ids);
  const { payload, execution, workflow: of, failed_node } = await record(ids[0]!);
  assert.deepEqual(payload, { order: 'p3' });
  assert.equal(execution.url, `http://localhost:3000/test/logs/executions/${execution.id}`);
  assert.deepEqual(
    [of, failed_node],
    [
      { id: workflow, name: 'Orders', version: 1 },
      { id: '3', name: 'Node 3', batch: '2:0' },
    ],
  );
});

test('many are resent, discarded and resolved by filter; what cannot be sent is named', async () => {
  const resolve = await publish([get('2', 'bulk-{{event.columns.order}}')], [['1', '2']]);
  const queue = await createQueue('many', { resolution_workflow_id: resolve });
  const workflow = await keeping('many');
  const ids: string[] = [];
  for (const order of ['q1', 'q2', 'q3', 'q4', 'q5']) ids.push(await failed(workflow, order));
  const gone = await api.addLinkedAccount('gone', tenant);
  answers.set('q6', 'refuse');
  await ended(await start(workflow, { order: 'q6' }, gone));
  assert.equal((await call('DELETE', '/linked-accounts/gone')).status, 200);
  const first = await ok('POST', '/recovery-records/resend', { filter: { queue }, limit: 2 });
  assert.deepEqual(
    first.resent.map(({ id }: { id: string }) => id),
    ids.slice(0, 2),
  );
  for (const id of ids.slice(0, 2)) await reached(id, 'resolved');
  assert.deepEqual(await ok('POST', '/recovery-records/discard', { ids: [ids[2], newId()] }), { count: 1 });
  assert.deepEqual(await ok('POST', '/recovery-records/resolve', { filter: { queue, search: 'q4' } }), {
    count: 1,
  });
  const rest = await ok('POST', '/recovery-records/resend', { filter: { queue } });
  assert.equal(rest.resent.length, 1);
  assert.match(rest.refused[0].reason, /linked account "gone" .* has been deleted/);
  await reached(ids[4]!, 'resolved');
  assert.deepEqual(await ok('POST', '/recovery-records/discard', { filter: { queue } }), { count: 1 });
  const all = await records('queue=many');
  assert.deepEqual(
    all.map(({ status, resolution }) => [status, resolution]),
    [
      ['discarded', null],
      ['resolved', 'workflow'],
      ['resolved', 'by_hand'],
      ['discarded', null],
      ['resolved', 'workflow'],
      ['resolved', 'workflow'],
    ],
  );
});

test('an export is CSV in which nothing is a formula', async () => {
  await createQueue('csv');
  const workflow = await keeping('csv');
  for (const order of ['=1+1', '@sum', 'a "b"\r\nc']) {
    answers.set(order, 'refuse');
    await run(workflow, { order });
  }
  const { text } = await call('GET', '/recovery-records.csv?queue=csv');
  assert.match(text, /^id,queue,status,.*,payload,column\.order\r\n/);
  assert.match(text, /,"?'=1\+1"?\r\n/);
  assert.match(text, /,"?'@sum"?\r\n/);
  assert.match(text, /,"a ""b""\r\nc"\r\n/);
  assert.doesNotMatch(text, /,"?[=@]/);
  assert.equal((await call('GET', '/recovery-records.csv?queue=nowhere')).status, 404);
});

test('another organisation, and another environment, see nothing and touch nothing', async () => {
  const queue = await createQueue('mine');
  const id = await failed(await keeping('mine'), 'r1');
  for (const as of [{ cookie: strangersCookie }, { environment: 'production' }]) {
    assert.deepEqual((await call('GET', '/recovery-queues', undefined, as)).body, { queues: [] });
    assert.deepEqual((await call('GET', '/recovery-records', undefined, as)).body.records, []);
    const { text } = await call('GET', '/recovery-records.csv', undefined, as);
    assert.equal(text.trimEnd().split('\r\n').length, 1);
    const refused: [Method, string, object?][] = [
      ['GET', `/recovery-queues/${queue}`],
      ['PATCH', `/recovery-queues/${queue}`, { name: 'theirs' }],
      ['DELETE', `/recovery-queues/${queue}`],
      ['GET', `/recovery-records?queue=${queue}`],
      ['GET', `/recovery-records/${id}`],
      ['PATCH', `/recovery-records/${id}`, { context: { a: 1 } }],
      ['POST', `/recovery-records/${id}/resend`],
      ['POST', `/recovery-records/${id}/send-again`],
      ['POST', `/recovery-records/${id}/arrived`, { output: 1 }],
      ['POST', `/recovery-records/${id}/discard`],
      ['POST', `/recovery-records/${id}/resolve`],
    ];
    for (const [method, path, payload] of refused) {
      const answer = await call(method, path, payload, as);
      assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`);
    }
    for (const verb of ['discard', 'resolve']) {
      assert.deepEqual((await call('POST', `/recovery-records/${verb}`, { ids: [id] }, as)).body, {
        count: 0,
      });
      assert.deepEqual((await call('POST', `/recovery-records/${verb}`, { filter: {} }, as)).body, {
        count: 0,
      });
    }
    const none = await call('POST', '/recovery-records/resend', { ids: [id] }, as);
    assert.deepEqual(none.body, { resent: [], refused: [] });
  }
  const { status, context, attempts } = await record(id);
  assert.deepEqual([status, context, attempts], ['open', {}, 0]);
});

test('what cannot be done is refused with the field at fault and the way out', async () => {
  const queue = await createQueue('strict');
  const id = await failed(await keeping('strict'), 's1');
  const draft = await publish([], []);
  await api.database.pool.query(`update workflow set trigger_kind = 'schedule' where id = $1`, [draft]);
  const wrong: [[Method, string, object?], number, RegExp][] = [
    [['POST', '/recovery-queues', { name: 'strict' }], 409, /"strict" already exists/],
    [['POST', '/recovery-queues', {}], 400, /name: is required/],
    [['POST', '/recovery-queues', { name: 'x', columns: [{ name: 'a b' }] }], 400, /columns\.0\.name/],
    [
      ['POST', '/recovery-queues', { name: 'x', columns: [{ name: 'a' }, { name: 'a' }] }],
      400,
      /columns\.1\.name/,
    ],
    [['POST', '/recovery-queues', { name: 'x', colums: [] }], 400, /colums/],
    [
      ['POST', '/recovery-queues', { name: 'x', resolution_workflow_id: 'nope' }],
      400,
      /resolution_workflow_id: there is no/,
    ],
    [
      ['PATCH', `/recovery-queues/${queue}`, { resolution_workflow_id: draft }],
      400,
      /is started by schedule/,
    ],
    [['PATCH', `/recovery-queues/${newId()}`, { name: 'y' }], 404, /Recovery queue/],
    [['DELETE', `/recovery-queues/${queue}`], 400, /Records wait in the queue "strict"/],
    [['GET', '/recovery-records?status=lost'], 400, /status/],
    [['GET', '/recovery-records?limit=0'], 400, /limit/],
    [['GET', '/recovery-records?from=yesterday'], 400, /from/],
    [['GET', '/recovery-records?queue=nowhere'], 404, /Recovery queue "nowhere" not found/],
    [['GET', `/recovery-records/${newId()}`], 404, /Recovery record/],
    [['PATCH', `/recovery-records/${id}`, { context: [] }], 400, /context/],
    [['PATCH', `/recovery-records/${id}`, { context: { a: 'x'.repeat(70_000) } }], 400, /larger than 64 KB/],
    [['POST', `/recovery-records/${id}/send-again`], 400, /"refused".* Resend it instead/],
    [['POST', `/recovery-records/${id}/arrived`, { output: 1 }], 400, /Resend it instead/],
    [
      ['POST', `/recovery-records/${id}/arrived`, { output: 1, status_code: 7 }],
      400,
      /status_code: must be at least 100/,
    ],
    [['POST', '/recovery-records/resend', {}], 400, /give one of ids, filter/],
    [['POST', '/recovery-records/resend', { ids: [] }], 400, /ids: names no record/],
    [['POST', '/recovery-records/resend', { ids: [id], filter: {} }], 400, /and only one/],
    [['POST', '/recovery-records/resend', { filter: {}, limit: 1_000 }], 400, /limit: must be at most 500/],
    [['POST', '/recovery-records/discard', { filter: { status: 'resolved' } }], 400, /status/],
    [['POST', '/recovery-records/discard', { filter: { from: 'x' } }], 400, /filter\.from: is no time/],
  ];
  for (const [request, status, text] of wrong) {
    const answer = await call(...request);
    assert.equal(answer.status, status, `${request[0]} ${request[1]}: ${answer.text}`);
    assert.match(answer.body.message, text);
  }
  assert.equal((await ok('POST', `/recovery-records/${id}/discard`)).status, 'discarded');
  assert.match(
    (await call('POST', `/recovery-records/${id}/resend`)).body.message,
    /is discarded: nothing is left/,
  );
  assert.match(
    (await call('PATCH', `/recovery-records/${id}`, { context: {} })).body.message,
    /is discarded/,
  );
  assert.deepEqual(await ok('DELETE', `/recovery-queues/${queue}`), { ok: true });
});

test('a queue is changed field by field, and one that the engine keeps cannot be deleted', async () => {
  const resolve = await publish([], []);
  const id = await createQueue('changed');
  const linked = await ok('PATCH', `/recovery-queues/${id}`, { resolution_workflow_id: resolve });
  assert.deepEqual(
    [linked.name, linked.columns, linked.resolution_workflow_id],
    ['changed', [{ name: 'order', label: 'Order' }], resolve],
  );
  const renamed = await ok('PATCH', `/recovery-queues/${id}`, { name: 'renamed', columns: [] });
  assert.deepEqual([renamed.columns, renamed.resolution_workflow_id], [[], resolve]);
  await createQueue('other');
  assert.equal((await call('PATCH', `/recovery-queues/${id}`, { name: 'other' })).status, 409);
  const { queues } = await ok('GET', '/recovery-queues');
  const builtIn = queues.find((queue: { is_built_in: boolean }) => queue.is_built_in);
  assert.equal(builtIn.name, 'Unknown outcomes');
  assert.match((await call('DELETE', `/recovery-queues/${builtIn.id}`)).body.message, /cannot be deleted/);
});

test('a record whose log has been deleted says so; a resolution workflow needs the record only', async () => {
  const queue = await createQueue('old');
  const id = await failed(await keeping('old'), 't1');
  const { execution } = await record(id);
  await api.database.pool.query('delete from journal where execution_id = $1', [execution.id]);
  await api.database.pool.query('delete from execution where id = $1', [execution.id]);
  assert.equal((await record(id)).execution.url, null);
  assert.match(
    (await call('POST', `/recovery-records/${id}/resend`)).body.message,
    /The log of execution .* has been deleted.* Link a resolution workflow/,
  );
  await ok('PATCH', `/recovery-queues/${queue}`, { resolution_workflow_id: await publish([], []) });
  await ok('POST', `/recovery-records/${id}/resend`);
  await reached(id, 'resolved');
});
