import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { createTestApi, type TestApi } from '#api/testing';
import { noteConnectionEvent } from '#db/alert-event';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { startAlerts } from '#webhooks/index';

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let api: TestApi;
let cookie: string;
let tenant: Tenant;
let sink: Server;
let smtp: SMTPServer;
let aheadMs = 0;
const received: Received[] = [];
const mails: string[] = [];
/** What the sink answers, by path; 200 when nothing stands here. A promise keeps the connection open until then. */
const answers = new Map<string, { status: number; body?: string } | Promise<void>>();

before(async () => {
  api = await createTestApi({ clock: { now: () => new Date(Date.now() + aheadMs) } });
  sink = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      received.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      const answer = answers.get(path) ?? { status: 200, body: 'ok' };
      if (answer instanceof Promise) void answer.then(() => response.writeHead(200).end());
      else response.writeHead(answer.status, { 'content-type': 'text/plain' }).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  smtp = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    authOptional: true,
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks).toString());
        done();
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  ({ cookie, tenant } = await signUp('ada@example.com'));
});
after(async () => {
  sink.close();
  sink.closeAllConnections();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  await api.close();
});
beforeEach(async () => {
  await api.database.pool.query('delete from alert_rule');
  received.length = 0;
  mails.length = 0;
  answers.clear();
});

async function signUp(email: string): Promise<{ cookie: string; tenant: Tenant }> {
  const answer = await call(
    'POST',
    '/sign-up',
    { email, password: 'correct horse', name: 'A', organization: email },
    '',
  );
  const { rows } = await api.database.pool.query<{ id: string }>(
    'select id from organization where name = $1',
    [email],
  );
  return {
    cookie: answer.cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; '),
    tenant: { orgId: rows[0]!.id, environment: 'test' },
  };
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

function call(method: Method, url: string, body?: unknown, as = cookie) {
  return api.app.inject({
    method,
    url: `/api/admin${url}`,
    headers: {
      ...(as !== '' && { cookie: as }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
}

const url = (path: string): string => `http://127.0.0.1:${(sink.address() as AddressInfo).port}${path}`;
const errored = { name: 'Failures', watches: 'events', events: ['Workflow Errored'], kind: 'default' };

async function make(rule: object): Promise<string> {
  const answer = await call('POST', '/alert-rules', { ...errored, url: url('/hook'), ...rule });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json().id as string;
}

interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly next_at: string | null;
  readonly event: string;
  readonly count: number;
}

async function deliveries(ruleId: string): Promise<Delivery[]> {
  return (await call('GET', `/alert-deliveries?rule_id=${ruleId}`)).json().deliveries as Delivery[];
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await isTrue())) {
    assert.ok(performance.now() < end, 'it took more than 30 seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs `work` while so many processes look after alerts. */
async function lookingAfter(loops: number, work: () => Promise<void>): Promise<void> {
  const running = Array.from({ length: loops }, () => startAlerts(api.deps, { lookEveryMs: 20 }));
  try {
    await work();
  } finally {
    await Promise.all(running.map((loop) => loop.close()));
  }
}

async function publish(nodes: readonly object[], edges: readonly object[]): Promise<string> {
  const id = newId();
  const document = { nodes: [{ id: '1', node_type: 'start', name: 'Start', data: {} }, ...nodes], edges };
  await api.database.pool.query(
    `insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
     values ($1, $1 || '-draft', $2, 'test', 'Orders', '{}', 1)`,
    [id, tenant.orgId],
  );
  await api.database.pool.query(
    `insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     values ($1, $2, 'test', $1, 1, $3)`,
    [id, tenant.orgId, JSON.stringify(document)],
  );
  return id;
}

const toSecond = [{ source: '1', target: '2' }];
const failing = () =>
  publish(
    [
      {
        id: '2',
        node_type: 'http',
        name: 'Send',
        retry_policy: { max_attempts: 1 },
        data: { method: 'GET', url: url('/upstream') },
      },
    ],
    toSecond,
  );

async function run(workflowId: string): Promise<string> {
  const { executionId } = await api.deps.engine.startExecution(tenant, {
    workflowId,
    version: 1,
    linkedAccount: { id: 'l'.repeat(24), accountId: 'ann' },
    configId: 'ann',
    source: 'api_call',
    payload: {},
  });
  await until(async () => (await api.deps.engine.read(tenant, executionId)).header.finishedAt !== null);
  return executionId;
}

async function apiKey(): Promise<string> {
  const { keys } = (await call('GET', '/api-keys')).json() as { keys: { id: string; environment: string }[] };
  const { id } = keys.find(({ environment }) => environment === 'test')!;
  return (await call('POST', `/api-keys/${id}/reveal`)).json().key as string;
}

describe('a webhook', () => {
  test('tells each failure once, however many processes deliver, signed as receivers verify it', async () => {
    answers.set('/upstream', { status: 422, body: 'no such order' });
    const workflow = await failing();
    const id = await make({ headers: { authorization: 'Bearer s3cret' }, workflow_ids: [workflow] });
    await make({ events: ['Workflow Completed'] });
    // They fail before anybody delivers: what is to be told is in the database by then.
    const ids = [await run(workflow), await run(workflow)];
    await lookingAfter(3, () =>
      until(async () => (await deliveries(id)).filter(({ status }) => status === 'sent').length === 2),
    );
    const told = received.filter(({ path }) => path === '/hook');
    assert.deepEqual(
      new Set(told.map(({ body }) => (JSON.parse(body) as { instance_id: string }).instance_id)),
      new Set(ids),
    );
    assert.equal(told.length, 2);
    const { headers, body } = told[0]!;
    const { instance_id: _, completion_time: _at, execution_time_ms: _ms, ...payload } = JSON.parse(body);
    assert.deepEqual(payload, {
      linked_account_id: 'ann',
      workflow_id: workflow,
      config_id: 'ann',
      event: 'Workflow Errored',
      workflow_name: 'Orders',
      status: 'ERRORED',
      environment: 'test',
      error: {
        message: payload.error.message,
        node_id: '2',
        attempts: 1,
        status: 422,
        body: 'no such order',
      },
    });
    assert.equal(headers['authorization'], 'Bearer s3cret');
    const key = await apiKey();
    assert.equal(
      headers['x-cobalt-signature'],
      createHmac('sha256', key).update(body).digest('hex'),
      'as the documents of the wire have it',
    );
    const secret = `whsec_${Buffer.from(key).toString('base64')}`;
    new Webhook(secret).verify(body, headers as Record<string, string>);
    assert.throws(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>));
  });

  test('of a connection has the payload of the wire, and goes to the rules of its app', async () => {
    await make({ events: ['Connection Created'], app_slug: 'gong' });
    const other = await make({ events: ['Connection Created'], app_slug: 'slack' });
    const account = await api.addLinkedAccount('bob', tenant);
    const which = { ...tenant, linkedAccountId: account.id, slug: 'gong' };
    await api.database.db
      .transaction()
      .execute((transaction) => noteConnectionEvent(transaction, which, 'Connection Created', new Date()));
    await lookingAfter(1, () => until(() => received.length === 1));
    const { createdAt, ...payload } = JSON.parse(received[0]!.body);
    assert.deepEqual(payload, {
      linked_account_id: 'bob',
      slug: 'gong',
      org_id: tenant.orgId,
      environment: 'test',
      type: 'General',
      event: 'Connection Created',
    });
    assert.match(createdAt, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    assert.deepEqual(await deliveries(other), []);
  });

  test('of Slack is a line of text; a custom one is what its templates say', async () => {
    const workflow = await publish(
      [{ id: '2', node_type: 'response', name: 'Answer', data: { data: { total: 7 } } }],
      toSecond,
    );
    const events = ['Workflow Completed'];
    await make({ events, kind: 'slack', url: url('/slack') });
    await make({
      events,
      kind: 'custom',
      url: url('/custom'),
      method: 'PUT',
      headers: { 'x-run': '{{event.instance_id}}' },
      body: '{"who": "{{linked_account_name}}", "what": {{workflow_response}}, "is": "{{event.status}}!"}',
    });
    const id = await run(workflow);
    await lookingAfter(1, () => until(() => received.length === 2));
    const slack = received.find(({ path }) => path === '/slack')!;
    const link = `http://localhost:3000/test/logs/executions/${id}`;
    assert.deepEqual(JSON.parse(slack.body), { text: `Workflow Completed (test): "Orders" for ann ${link}` });
    const custom = received.find(({ path }) => path === '/custom')!;
    assert.equal(custom.method, 'PUT');
    assert.equal(custom.headers['x-run'], id);
    assert.equal(custom.body, '{"who":"ann","what":{"total":7},"is":"COMPLETED!"}');
  });
});

describe('a receiver', () => {
  test('that fails is tried four times, further and further apart, and its answer is kept without secrets', async () => {
    const key = 'sk_live_1234567890';
    answers.set('/hook', { status: 503, body: `down; you sent ${key}` });
    const id = await make({ headers: { 'x-key': key } });
    answers.set('/upstream', { status: 500 });
    await run(await failing());
    await lookingAfter(2, async () => {
      for (const [attempts, waitMs] of [
        [1, 10_000],
        [2, 100_000],
        [3, 1_000_000],
      ] as const) {
        await until(async () => {
          const [delivery] = await deliveries(id);
          if (delivery?.attempts !== attempts || delivery.next_at === null) return false;
          const leftMs = Date.parse(delivery.next_at) - Date.now() - aheadMs;
          return leftMs > 0.6 * waitMs && leftMs < 1.3 * waitMs;
        });
        aheadMs += 1.3 * waitMs;
      }
      await until(async () => (await deliveries(id))[0]?.status === 'failed');
    });
    assert.equal(received.filter(({ path }) => path === '/hook').length, 4);
    const [failed] = await deliveries(id);
    const detail = await call('GET', `/alert-deliveries/${failed!.id}`);
    assert.doesNotMatch(detail.body, new RegExp(key));
    assert.deepEqual(detail.json().response.body, 'down; you sent [REDACTED]');
    assert.equal(detail.json().request.headers['x-key'], '[REDACTED]');

    answers.delete('/hook');
    const again = (await call('POST', `/alert-deliveries/${failed!.id}/send-again`)).json();
    await lookingAfter(1, () => until(async () => (await deliveries(id))[0]?.status === 'sent'));
    assert.equal(again.repeat_of, failed!.id);
    const ids = received.flatMap(({ path, headers }) => (path === '/hook' ? headers['webhook-id'] : []));
    assert.deepEqual(new Set(ids), new Set([failed!.id]), 'a receiver knows that it is the same event');
  });

  test('that never answers holds up no other', async () => {
    const release = Promise.withResolvers<void>();
    answers.set('/hangs', release.promise);
    answers.set('/upstream', { status: 500 });
    await make({ url: url('/hangs') });
    const healthy = await make({});
    const workflow = await failing();
    const ids = await Promise.all(Array.from({ length: 25 }, () => run(workflow)));
    await lookingAfter(1, async () => {
      await until(
        async () =>
          (await deliveries(healthy)).filter(({ status }) => status === 'sent').length === ids.length,
      );
      assert.equal(received.filter(({ path }) => path === '/hangs').length, 20);
      release.resolve();
    });
  });

  test('that hangs for a day is given up', async () => {
    const id = await make({ url: url('/hangs') });
    await api.database.pool.query(
      `insert into webhook_delivery (id, org_id, environment, rule_id, channel, event, content, next_at, created_at)
       select $1, org_id, environment, id, 'webhook', 'Workflow Errored', '{}', $2, $3 from alert_rule where id = $4`,
      [newId(), new Date('2099-01-01'), new Date(Date.now() + aheadMs - 86_500_000), id],
    );
    await lookingAfter(1, () => until(async () => (await deliveries(id))[0]?.status === 'failed'));
    assert.match((await deliveries(id))[0]!.error!, /could not be sent within a day/);
  });

  test('inside the network is refused by the same policy as every other call, and nothing is sent', async () => {
    const id = await make({ url: 'http://169.254.169.254/latest/meta-data' });
    const tried = (await call('POST', `/alert-rules/${id}/test`)).json();
    assert.equal(tried.status, 'failed');
    assert.match(tried.error, /169\.254\.169\.254.*link-local/);
  });

  test('whose sender died in the middle gets the delivery from another one', async () => {
    answers.set('/upstream', { status: 500 });
    const id = await make({});
    await run(await failing());
    await lookingAfter(1, () => until(async () => (await deliveries(id))[0]?.status === 'sent'));
    // As a process leaves it that was killed between sending and noting: claimed, and its time is over.
    await api.database.pool.query(
      `update webhook_delivery set status = 'pending', next_at = $1, ended_at = null, response = null`,
      [new Date(Date.now() + aheadMs)],
    );
    await lookingAfter(1, () => until(async () => (await deliveries(id))[0]?.status === 'sent'));
    const hooks = received.filter(({ path }) => path === '/hook');
    assert.equal(hooks.length, 2);
    assert.equal(hooks[0]!.headers['webhook-id'], hooks[1]!.headers['webhook-id']);
    assert.equal(hooks[0]!.body, hooks[1]!.body);
  });
});

test('mail gathers what happens within a minute, and is sent once', async () => {
  const mailSettings = {
    host: '127.0.0.1',
    port: (smtp.server.address() as AddressInfo).port,
    security: 'none',
    default_from: 'Inlay <inlay@example.com>',
  };
  assert.equal((await call('PUT', '/mail-settings', mailSettings)).statusCode, 200);
  answers.set('/upstream', { status: 500, body: 'the database is gone' });
  const workflow = await failing();
  const id = await make({ kind: 'email', url: undefined, recipients: ['ops@example.com'] });
  await lookingAfter(2, async () => {
    await run(workflow);
    await until(async () => (await deliveries(id)).length === 1);
    await run(workflow);
    await until(async () => (await deliveries(id))[0]?.count === 2);
    assert.equal(mails.length, 0);
    aheadMs += 61_000;
    await until(async () => (await deliveries(id))[0]?.status === 'sent');
  });
  assert.equal(mails.length, 1);
  assert.match(mails[0]!, /^To: ops@example\.com\r$/m);
  assert.match(mails[0]!, /^Subject: \[test\] Failures: 2 events\r$/m);
});

test('a failure rate and a missing run are told when they begin and when they end', async () => {
  const workflow = await failing();
  const rate = await make({
    name: 'Rate',
    watches: 'failure_rate',
    events: undefined,
    window_minutes: 10,
    threshold_percent: 50,
    least_runs: 3,
    workflow_ids: [workflow],
  });
  const none = await make({
    name: 'None',
    watches: 'no_run',
    events: undefined,
    window_minutes: 30,
    workflow_ids: [workflow],
  });
  const told = async (id: string) => (await deliveries(id)).map(({ event }) => event);
  const looked = async () => {
    // The rules are due, and a look at them comes when the outbox is empty.
    aheadMs += 16_000;
    await until(async () => {
      const { rows: due } = await api.database.pool.query(
        `select from alert_rule where next_check_at <= $1 union all select from alert_event`,
        [new Date(Date.now() + aheadMs)],
      );
      return due.length === 0;
    });
  };
  answers.set('/upstream', { status: 500 });
  await lookingAfter(2, async () => {
    await run(workflow);
    await run(workflow);
    await looked();
    assert.deepEqual(await told(rate), [], 'two are not three');
    await run(workflow);
    await looked();
    assert.deepEqual(await told(rate), ['Failure Rate Exceeded']);
    aheadMs += 5 * 60_000;
    await run(workflow);
    await looked();
    assert.deepEqual(await told(rate), ['Failure Rate Exceeded'], 'once');
    aheadMs += 26 * 60_000;
    await looked();
    assert.deepEqual(await told(rate), ['Failure Rate Recovered', 'Failure Rate Exceeded']);
    assert.deepEqual(await told(none), ['Workflow Not Run']);
    answers.delete('/upstream');
    await run(workflow);
    await looked();
    assert.deepEqual(await told(none), ['Workflow Running Again', 'Workflow Not Run']);
  });
  const bodies = received.flatMap(({ path, body }) =>
    path === '/hook' ? [JSON.parse(body) as Record<string, unknown>] : [],
  );
  const { failed, ended, rule } = bodies.find(({ event }) => event === 'Failure Rate Exceeded')!;
  assert.deepEqual({ failed, ended, rule }, { failed: 3, ended: 3, rule: 'Rate' });
});

test('a run is missed only when everything that ended is known, whatever stands before it in the outbox', async () => {
  const { pool } = api.database;
  const silent = await make({ name: 'Off', is_enabled: false });
  const none = await make({ name: 'None', watches: 'no_run', events: undefined, window_minutes: 5 });
  aheadMs += 6 * 60_000;
  const insert = `insert into alert_event (org_id, environment, rule_id, event, execution_id, at)
    select $1, 'test', $2, $3, 'e', $4 from generate_series(1, $5)`;
  const at = new Date(Date.now() + aheadMs);
  await pool.query(insert, [tenant.orgId, silent, 'Workflow Errored', at, 600]);
  await pool.query(insert, [tenant.orgId, none, 'Workflow Completed', at, 1]);
  await lookingAfter(1, () =>
    until(async () => (await pool.query('select from alert_event')).rowCount === 0),
  );
  assert.deepEqual(await deliveries(none), []);
});

describe('rules', () => {
  test('show no secret, and send stored headers to no other server', async () => {
    const secret = 'https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/tokentokentoken';
    const made = await call('POST', '/alert-rules', { ...errored, kind: 'slack', url: secret });
    assert.equal(made.json().url, 'https://hooks.slack.com/…');
    const id = await make({ headers: { authorization: 'Bearer s3cret' } });
    const listed = await call('GET', '/alert-rules');
    assert.doesNotMatch(listed.body, /s3cret|tokentoken/);
    assert.deepEqual(listed.json().rules[1].header_names, ['authorization']);
    const moved = await call('PUT', `/alert-rules/${id}`, { ...errored, url: 'https://evil.example/' });
    assert.equal(moved.statusCode, 400);
    assert.match(moved.json().message, /headers: the stored ones go to http:\/\/127\.0\.0\.1:\d+ only/);
    const renamed = await call('PUT', `/alert-rules/${id}`, { ...errored, name: 'Other' });
    assert.deepEqual([renamed.json().name, renamed.json().header_names], ['Other', ['authorization']]);
    const tried = await call('POST', `/alert-rules/${id}/test`);
    assert.deepEqual([tried.json().status, tried.json().response.body], ['sent', 'ok']);
    assert.equal(received[0]!.headers['authorization'], 'Bearer s3cret');
    assert.doesNotMatch(tried.body, /s3cret/);
  });

  test('belong to one organisation and environment', async () => {
    const id = await make({});
    await call('POST', `/alert-rules/${id}/test`);
    const [delivery] = await deliveries(id);
    const stranger = await signUp('eve@example.com');
    const doors: [Method, string, object?][] = [
      ['GET', `/alert-rules/${id}`],
      ['PUT', `/alert-rules/${id}`, { ...errored, url: url('/hook') }],
      ['DELETE', `/alert-rules/${id}`],
      ['POST', `/alert-rules/${id}/test`],
      ['GET', `/alert-deliveries/${delivery!.id}`],
      ['POST', `/alert-deliveries/${delivery!.id}/send-again`],
    ];
    for (const [method, path, body] of doors) {
      assert.equal((await call(method, path, body, stranger.cookie)).statusCode, 404, `${method} ${path}`);
    }
    assert.deepEqual((await call('GET', '/alert-rules', undefined, stranger.cookie)).json(), { rules: [] });
    const theirs = await call('GET', `/alert-deliveries?rule_id=${id}`, undefined, stranger.cookie);
    assert.deepEqual(theirs.json().deliveries, []);
  });

  test('are read by members, and written, tried and looked into by owners and admins', async () => {
    const id = await make({ kind: 'custom', body: '{"routing_key": "k3y", "summary": "{{event.event}}"}' });
    const tried = (await call('POST', `/alert-rules/${id}/test`)).json();
    assert.equal(received[0]!.body, '{"routing_key":"k3y","summary":"Test"}');
    await api.database.pool.query(`update organization_member set role = 'member'`);
    const doors: [Method, string, object?][] = [
      ['POST', '/alert-rules', { ...errored, url: url('/hook') }],
      ['PUT', `/alert-rules/${id}`, { ...errored, url: url('/hook') }],
      ['DELETE', `/alert-rules/${id}`],
      ['POST', `/alert-rules/${id}/test`],
      ['GET', `/alert-deliveries/${tried.id}`],
      ['POST', `/alert-deliveries/${tried.id}/send-again`],
    ];
    const refused = await Promise.all(
      doors.map(async ([method, path, body]) => (await call(method, path, body)).statusCode),
    );
    const seen = [await call('GET', '/alert-rules'), await call('GET', '/alert-deliveries')];
    await api.database.pool.query(`update organization_member set role = 'owner'`);
    assert.deepEqual(refused, Array(6).fill(403));
    assert.deepEqual(
      seen.map(({ statusCode }) => statusCode),
      [200, 200],
    );
    assert.doesNotMatch(seen.map(({ body }) => body).join(''), /k3y/);
  });

  test('that are wrong are refused by the name of the field', async () => {
    const rule = { ...errored, url: 'https://example.com/hook' };
    const wrong: [object, RegExp][] = [
      [{ events: ['Workflow Exploded'] }, /events\.0/],
      [{ events: undefined }, /events: is required for watches "events"/],
      [{ url: undefined }, /url: is required for webhooks/],
      [{ url: 'ftp://example.com' }, /url: is not an http or https URL/],
      [{ url: 'https://u:p@example.com' }, /url: holds a user name or password/],
      [{ recipients: ['a@example.com'] }, /recipients: belongs to kind "email" only/],
      [{ watches: 'no_run' }, /window_minutes: is required.*/],
      [{ threshold_percent: 5 }, /threshold_percent: belongs to watches "failure_rate" only/],
      [
        { headers: { 'x-cobalt-signature': 'x' } },
        /headers\.x-cobalt-signature: is a header that Inlay sets/,
      ],
      [{ headers: { a: 'b\r\nc: d' } }, /headers\.a: holds a line break/],
      [{ kind: 'email', url: undefined, recipients: ['nobody'] }, /recipients\.0: is not an e-mail address/],
      [{ events: ['Connection Expired'], workflow_ids: ['w'] }, /workflow_ids: a connection belongs to no/],
      [{ body: '{}' }, /body: belongs to kind "custom" only/],
      [{ kind: 'custom', body: '{"a": "{{event.staus}}"}' }, /body: "\{\{event\.staus\}\}" is not known/],
      [{ kind: 'custom', body: 'Oh: {{event}}' }, /body: is not JSON/],
      [{ kind: 'custom', headers: { 'x-a': '{{1 + 1}}' } }, /headers\.x-a: .*is not a template/],
      [{ colour: 'red' }, /colour/],
    ];
    for (const [change, text] of wrong) {
      const answer = await call('POST', '/alert-rules', { ...rule, ...change });
      assert.equal(answer.statusCode, 400, answer.body);
      assert.match(answer.json().message, text);
    }
  });
});
