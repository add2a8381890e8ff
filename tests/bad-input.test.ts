import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Answer, type RunningInlay, startInlay, until } from './inlay.ts';

/** Everything that a careless or hostile caller sends, against the real program: a clear answer, and no harm. */

const wire = '/api/v2/public';
/** Long enough for code to eat 256 MB first, on a machine that is busy with other tests too. */
const codeTimeoutS = 4;
const tooLong = /longer than 4000 ms/;
let inlay: RunningInlay;
let account: string;

before(async () => {
  inlay = await startInlay({ isOnTestServer: true, env: { INLAY_CODE_TIMEOUT_S: String(codeTimeoutS) } });
  account = inlay.demo.linkedAccountId;
});
after(() => inlay.stop());

/** One error of the wire: every key that some client reads, and words that say what is wrong. */
function assertRefused(answer: Answer, status: number, words: RegExp): void {
  const { body } = answer;
  assert.equal(answer.status, status, JSON.stringify(body).slice(0, 500));
  assert.equal(body.status_code, status);
  assert.equal(body.error_code, body.error);
  assert.equal(body.http_error_type, body.error_type);
  assert.equal(answer.headers.get('x-trace-id'), body.request_id);
  assert.match(body.message, words);
  assert.doesNotMatch(body.message, /\bat .*\.ts:|node_modules|select |insert into|\/work\//i);
}

/** It lives, kept its memory, and still does its work. */
async function assertUnharmed(): Promise<void> {
  const health = await inlay.call('GET', '/readyz');
  assert.equal(health.status, 200, JSON.stringify(health.body));
  const apps = await inlay.call('GET', `${wire}/application`, { linkedAccountId: account });
  assert.ok(Array.isArray(apps.body) && apps.body.length > 0, JSON.stringify(apps.body).slice(0, 300));
  assert.equal(inlay.child.exitCode, null);
  const megabytes = residentMegabytes(inlay.child.pid ?? 0);
  assert.ok(megabytes < 700, `${megabytes} MB resident`);
}

function residentMegabytes(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return Math.round((pages * 4096) / 1024 ** 2);
}

const post = (route: string, body: unknown) =>
  inlay.call('POST', `${wire}${route}`, { body, linkedAccountId: account });

describe('credentials and ids', () => {
  test('no key, a wrong key and a wrong token are refused alike', async () => {
    const route = `${wire}/linked-account`;
    for (const key of ['tk00000000-0000-4000-8000-000000000000', "' or 1=1 --", 'x'.repeat(10_000)]) {
      assertRefused(
        await inlay.call('GET', route, { headers: { 'x-api-key': key } }),
        401,
        /Invalid Credentials/,
      );
    }
    assertRefused(await inlay.call('GET', route, { token: 'a.b.c' }), 401, /Invalid token/);
    const unsigned = `${jsonPart({ alg: 'none' })}.${jsonPart({ linked_account_id: account, jti: 'x' })}.`;
    assertRefused(await inlay.call('GET', `${wire}/application`, { token: unsigned }), 401, /Invalid token/);
  });

  test('an unknown account answers 404 by its name, and no account 400 with the ways to name one', async () => {
    const unknown = await inlay.call('GET', `${wire}/application`, { linkedAccountId: 'nobody' });
    assertRefused(unknown, 404, /account id nobody .* not found/);
    assertRefused(await inlay.call('GET', `${wire}/application`), 400, /linked_account_id is required/);
  });

  test("another organisation's objects are as if they did not exist", async () => {
    const made = await post('/workflow', { name: 'Ours', nodes: [startNode], edges: [] });
    const workflow = made.body.workflow.associated_workflow;
    const event = await inlay.call('POST', `${wire}/application/event`, {
      body: { name: 'Only ours', response: { a: 1 } },
    });
    const eventId = event.body.find(({ name }: { name: string }) => name === 'Only ours')._id;
    const stranger = await signUp('stranger@example.com');
    for (const [method, route] of [
      ['GET', `/linked-account/${account}`],
      ['DELETE', `/linked-account/${account}`],
      ['GET', `/workflow/${workflow}`],
      ['GET', `/workflow/${workflow}/edit`],
      ['PUT', `/workflow/${workflow}/publish`],
      ['DELETE', `/workflow/${workflow}`],
      ['GET', `/application/event/${eventId}`],
      ['DELETE', `/application/event/${eventId}`],
      ['DELETE', `/event/${eventId}`],
    ] as const) {
      const answer = await inlay.call(method, wire + route, { headers: { 'x-api-key': stranger } });
      assertRefused(answer, 404, /not found/);
    }
    const borrowed = { headers: { 'x-api-key': stranger }, linkedAccountId: account };
    assertRefused(await inlay.call('GET', `${wire}/application`, borrowed), 404, /not found/);
    assert.equal((await inlay.call('GET', `${wire}/workflow/${workflow}`)).status, 200);
  });

  test('ids may hold any character that a URL can carry', async () => {
    for (const id of ['a/b', '100%', 'ünï ☃', '../..', 'a?b#c', '%2e%2e', '__proto__', "'; drop table"]) {
      assert.equal((await post('/linked-account', { linked_account_id: id })).body.account_id, id);
      const route = `${wire}/linked-account/${encodeURIComponent(id)}`;
      assert.equal((await inlay.call('GET', route)).body.account_id, id);
      assert.equal((await inlay.call('DELETE', route)).status, 200, id);
      assertRefused(await inlay.call('GET', route), 404, /not found/);
    }
    assertRefused(
      await post('/linked-account', { linked_account_id: '..' }),
      400,
      /linked_account_id.*no URL/,
    );
    const long = await post('/linked-account', { linked_account_id: 'x'.repeat(100_000) });
    assertRefused(long, 400, /linked_account_id: is longer than 512 characters/);
    assertRefused(await inlay.call('GET', `${wire}/linked-account/a%00b`), 400, /NUL/);
    assertRefused(await inlay.call('GET', `${wire}/linked-account/%E0%A4%A`), 400, /percent-encoded/);
  });
});

describe('bodies', () => {
  test('what is not JSON is refused with the place, and nothing of it is repeated', async () => {
    assertRefused(
      await post('/linked-account', '{"name": "top secret",}'),
      400,
      /^(?!.*secret).*not valid JSON/,
    );
    assertRefused(await post('/linked-account', '['.repeat(500_000)), 400, /not valid JSON/);
    assertRefused(await post('/linked-account', '[1]'), 400, /expected object, received array/);
    const bytes = Buffer.concat([
      Buffer.from('{"linked_account_id": "'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const answer = await fetch(`${inlay.url}${wire}/linked-account`, {
      method: 'POST',
      headers: { 'x-api-key': inlay.keys.test, 'content-type': 'application/json' },
      body: bytes,
    });
    assert.deepEqual([answer.status, /not UTF-8/.test(await answer.text())], [400, true]);
  });

  test('ten megabytes, ten thousand levels and a NUL are refused by their limit', async () => {
    assertRefused(await post('/linked-account', { name: 'x'.repeat(10_000_000) }), 413, /1048576 bytes/);
    const large = { event: 'New Contact Created', payload: { x: 'x'.repeat(10_000_000) } };
    assertRefused(await post('/event', large), 413, /3145728 bytes/);
    const deep = `{"udf": ${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    assertRefused(await post('/linked-account', deep), 400, /128 levels/);
    assertRefused(await post('/linked-account', '{"name": "a\\u0000b"}'), 400, /name: holds a NUL/);
  });

  test('a content type that is not JSON is refused with the one to send', async () => {
    for (const type of ['text/xml', 'application/x-www-form-urlencoded', 'text/plain', '???']) {
      const headers = { 'content-type': type };
      const answer = await inlay.call('POST', `${wire}/linked-account`, { body: 'a=1', headers });
      assertRefused(answer, 415, /Send "application\/json"/);
    }
  });

  test('a __proto__ key is refused wherever it stands, by its place', async () => {
    const places: readonly (readonly [method: string, route: string, body: string, place: string])[] = [
      ['POST', '/linked-account', '{"__proto__": {"x": 1}}', '__proto__'],
      ['POST', '/linked-account', '{"udf": {"__proto__": "x"}}', 'udf.__proto__'],
      ['POST', '/event', '{"event": "e", "payload": {"a": [{"__proto__": {}}]}}', 'payload.a[0].__proto__'],
      ['POST', '/application/event', '{"name": "e", "response": "{\\"__proto__\\": {}}"}', '__proto__'],
      [
        'POST',
        '/workflow',
        '{"name": "w", "nodes": [{"data": {"__proto__": {}}}]}',
        'nodes[0].data.__proto__',
      ],
      ['PUT', '/config', '{"slug": "acme-crm", "fields": {"__proto__": 1}}', 'fields.__proto__'],
      ['POST', '/connect-url', '{"name": {"__proto__": 1}}', 'name.__proto__'],
    ];
    for (const [method, route, body, place] of places) {
      const answer = await inlay.call(method, wire + route, { body, linkedAccountId: account });
      assertRefused(answer, 400, /is not accepted/);
      assert.ok(answer.body.message.includes(`"${place}"`), `${place}: ${answer.body.message}`);
    }
    const action = '/api/v2/integration-schema/acme-crm/actions/createContact/execute';
    const executed = await inlay.call('POST', action, {
      body: '{"email": {"__proto__": 1}}',
      linkedAccountId: account,
    });
    assertRefused(executed, 400, /"email\.__proto__"/);
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
    await assertUnharmed();
  });

  test('every digit of a number beyond 2^53 arrives in the execution; one that no double holds is refused', async () => {
    const id = await publish('Numbers', [responseNode('{{event.id}}')], [['1', '9']]);
    const answer = await execute(id, '{"id": 90071992547409931}');
    assert.deepEqual([answer.status, answer.body.return_value], [200, '90071992547409931']);
    assertRefused(await execute(id, '{"id": 1e400}'), 400, /^id: is a number beyond/);
    const twice = await execute(id, '{"id": 1, "id": 2}');
    assert.equal(twice.body.return_value, 2, 'of keys that stand twice the last counts (RFC 8259 §4)');
  });
});

describe('workflows', () => {
  test('a cycle is refused with the nodes that it goes through', async () => {
    const answer = await post('/workflow', {
      name: 'Round',
      nodes: [startNode, codeNode('2', 'A', ok), codeNode('3', 'B', ok)],
      edges: edges([
        ['1', '2'],
        ['2', '3'],
        ['3', '2'],
      ]),
    });
    assertRefused(answer, 400, /"A" \(2\) -> "B" \(3\) -> "A" \(2\)/);
    assert.equal(answer.body.errors[0].path, 'edges');
  });

  test('an unknown node type, an edge to nowhere and two starts are refused by the node', async () => {
    const odd = { id: '2', node_type: 'shell', name: 'Odd', data: {} };
    assertRefused(
      await post('/workflow', { name: 'x', nodes: [startNode, odd] }),
      400,
      /node "Odd" \(2\): "shell" is not/,
    );
    const nowhere = { name: 'x', nodes: [startNode], edges: edges([['1', '7']]) };
    assertRefused(await post('/workflow', nowhere), 400, /7/);
    const two = { name: 'x', nodes: [startNode, { ...startNode, id: '2' }] };
    assertRefused(await post('/workflow', two), 400, /2 start nodes/);
    assertRefused(
      await post('/workflow', { name: 'x', nodes: 'none' }),
      400,
      /nodes: expected array, received string/,
    );
  });

  const hostile: readonly (readonly [what: string, code: string, words: RegExp])[] = [
    ['loops for ever', 'for (;;);', tooLong],
    ['loops in promises for ever', 'return (async () => { for (;;) await null; })()', tooLong],
    ['backtracks for ever', 'return /^(a+)+$/.test("a".repeat(40) + "b")', tooLong],
    ['waits for a promise that nothing settles', 'return new Promise(() => {})', /nothing will settle/],
    ['eats memory', 'const a = []; for (;;) a.push(new Array(1e6).fill(Math.random()))', /more than 256 MB/],
    [
      'eats memory in buffers',
      'const a = []; for (;;) a.push(new Uint8Array(5e7).fill(1))',
      /memory|allocation|256 MB/,
    ],
    ['calls itself for ever', 'return yourFunction()', /call stack/],
    ['reaches for process', 'return process.env', /process is not defined/],
    [
      'climbs to a constructor',
      'return this.constructor.constructor("return process")()',
      /process is not defined/,
    ],
    ['loads a module of the host', 'return require("node:fs")', /no library "node:fs"/],
    ['returns more than is kept', 'return "x".repeat(4e7)', /larger than 30 MB/],
    ['returns a circle', 'const a = {}; a.a = a; return a', /circular/],
    ['returns a __proto__ key', 'return JSON.parse(\'{"__proto__": 1}\')', /__proto__/],
    ['calls this machine', 'return fetch("http://127.0.0.1:5432/")', /refused/],
    ['calls this machine by a mapped address', 'return fetch("http://[::ffff:7f00:1]:5432/")', /refused/],
    ['calls the metadata of a cloud', 'return fetch("http://169.254.169.254/")', /link-local/],
  ];
  for (const [what, body, words] of hostile) {
    test(`code that ${what} fails by itself, named`, async () => {
      const nodes = [
        codeNode('2', 'Hostile', `function yourFunction(params) { ${body} }`),
        responseNode('done'),
      ];
      const id = await publish(`Code that ${what}`, nodes, [
        ['1', '2'],
        ['2', '9'],
      ]);
      const { status, body: answer } = await execute(id, {});
      assert.deepEqual([status, answer.errored, answer.execution_error?.node_name], [200, true, 'Hostile']);
      assert.match(answer.execution_error.message, words);
      assert.doesNotMatch(answer.execution_error.message, /\/packages\/|child\.ts|node:internal/);
    });
  }

  test('after all of that, code runs as before', async () => {
    const nodes = [codeNode('2', 'Code', ok), responseNode('{{node.2.body}}')];
    const id = await publish('Harmless', nodes, [
      ['1', '2'],
      ['2', '9'],
    ]);
    assert.deepEqual((await execute(id, {})).body.return_value, { fine: true });
    await assertUnharmed();
  });
});

describe('HTTP itself', () => {
  test('methods that a path does not have answer 405 and nothing else', async () => {
    for (const method of ['PATCH', 'PROPFIND']) {
      assertRefused(
        await inlay.call(method, `${wire}/application`),
        405,
        new RegExp(`${method} is not allowed`),
      );
    }
    assert.match(
      await raw(
        'TRACE /api/v2/public/application HTTP/1.1\r\nhost: x\r\nx-secret: 1\r\nconnection: close\r\n\r\n',
      ),
      /^HTTP\/1\.1 405 (?!.*x-secret)/s,
    );
    const preflight = await fetch(`${inlay.url}${wire}/application`, { method: 'OPTIONS' });
    assert.equal(preflight.status, 204);
    const head = await fetch(`${inlay.url}/healthz`, { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
  });

  test('what is no HTTP, endless headers and two lengths for one body are answered in JSON and closed', async () => {
    for (const [text, status] of [
      ['NOT HTTP\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
      ['POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ] as const) {
      const answer = await raw(text);
      const body = JSON.parse(answer.slice(answer.indexOf('{')));
      assert.deepEqual([body.status_code, typeof body.message], [status, 'string'], answer);
    }
  });

  test('fifty requests that never end keep nobody else from being answered', async () => {
    const { hostname, port } = new URL(inlay.url);
    const head = `POST ${wire}/event HTTP/1.1\r\nhost: x\r\nx-api-key: ${inlay.keys.test}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"event"`;
    const sockets = Array.from({ length: 50 }, () =>
      connect(Number(port), hostname).on('error', () => undefined),
    );
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      for (const socket of sockets) socket.write(head);
      const since = performance.now();
      await assertUnharmed();
      assert.ok(performance.now() - since < 3_000);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});

test('nothing of this left an error or a secret in the log', async () => {
  await until(async () => (await inlay.call('GET', '/healthz')).status === 200);
  const log = inlay.log();
  for (const secret of [inlay.keys.test, inlay.keys.production, inlay.owner.password]) {
    assert.equal(log.includes(secret), false);
  }
  assert.doesNotMatch(log, /"level":50|"level":60|unhandled/i);
});

const startNode = { id: '1', node_type: 'start', name: 'Start', data: {} };
const ok = 'function yourFunction() { return { fine: true }; }';

function codeNode(id: string, name: string, code: string) {
  return { id, node_type: 'custom_code', name, data: { code } };
}

function responseNode(data: string) {
  return { id: '9', node_type: 'response', name: 'Response', data: { status_code: 200, data } };
}

function edges(pairs: readonly (readonly [string, string])[]) {
  return pairs.map(([source, target]) => ({ source, target }));
}

async function publish(
  name: string,
  nodes: readonly unknown[],
  pairs: readonly (readonly [string, string])[],
): Promise<string> {
  const made = await inlay.call('POST', `${wire}/workflow`, {
    body: { name, nodes: [startNode, ...nodes], edges: edges(pairs) },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const id: string = made.body.workflow._id;
  const published = await inlay.call('PUT', `${wire}/workflow/${id}/publish`, { body: { published: true } });
  assert.equal(published.status, 200, JSON.stringify(published.body));
  return id;
}

function execute(id: string, body: unknown): Promise<Answer> {
  return inlay.call('POST', `${wire}/workflow/${id}/execute`, {
    body,
    linkedAccountId: account,
    headers: { sync_execution: 'true' },
  });
}

/** A second SaaS company, by the console's own calls; answers with its test key. */
async function signUp(email: string): Promise<string> {
  const signedUp = await fetch(`${inlay.url}/api/admin/sign-up`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: 'long enough for us', name: 'S', organization: 'Strangers' }),
  });
  assert.equal(signedUp.status, 200, await signedUp.text());
  const cookie = signedUp.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const console = (method: string, route: string) =>
    inlay.call(method, `/api/admin/${route}`, { headers: { cookie, 'x-api-key': '' } });
  const { keys } = (await console('GET', 'api-keys')).body;
  const { id } = keys.find((key: { environment: string }) => key.environment === 'test');
  return (await console('POST', `api-keys/${id}/reveal`)).body.key;
}

function jsonPart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Sends bytes as they are; resolves with everything that comes until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(inlay.url);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('error', () => undefined); // a reset after the answer
    socket.on('close', () => resolve(answer));
    socket.write(text);
  });
}
