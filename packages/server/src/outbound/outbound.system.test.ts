import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { type CallRecord, createOutbound, type Outbound, type OutboundOptions } from '#outbound/outbound';

async function provider(t: TestContext, handle: RequestListener): Promise<{ port: number; url: string }> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}` };
}

function door(t: TestContext, options: Partial<OutboundOptions> = {}): Outbound {
  const outbound = createOutbound({ allow: ['127.0.0.1'], clock: systemClock, ...options });
  t.after(() => outbound.close());
  return outbound;
}

function code(wanted: AppError['code'] | RegExp, text = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof AppError, String(error));
    assert.match(error.code, typeof wanted === 'string' ? new RegExp(`^${wanted}$`) : wanted);
    assert.match(error.message, text);
    return true;
  };
}

const seen = (request: IncomingMessage, response: ServerResponse): void => {
  response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers }));
};
const parsed = (body: Buffer): { url: string; method: string; headers: Record<string, string> } =>
  JSON.parse(body.toString('utf8')) as never;

test('every spelling of a forbidden address is refused before a connection is opened', async (t) => {
  let calls = 0;
  const { port } = await provider(t, (_request, response) => {
    calls += 1;
    response.end();
  });
  const outbound = door(t, { allow: [] });
  for (const host of [
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '2130706433',
    '127.000.000.001',
    '0',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fc00::1]',
    '[ff02::1]',
    '[fd00:ec2::254]',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.0.1',
    '198.18.0.1',
    '240.0.0.1',
    'localhost',
    'LOCALHOST.',
    '１２７.0.0.1',
  ]) {
    await assert.rejects(
      outbound.send({ method: 'GET', url: `http://${host}:${port}/` }),
      // Some resolvers do not know "localhost.", which is just as good.
      code(host === 'LOCALHOST.' ? /^(egress_forbidden|provider_unreachable)$/ : 'egress_forbidden'),
      host,
    );
  }
  assert.equal(calls, 0);
});

test('a name is refused when it resolves to forbidden addresses, and only allowed ones are connected to', async (t) => {
  const { port } = await provider(t, seen);
  const answers: Record<string, string[]> = {
    'inside.example': ['10.0.0.7'],
    'mixed.example': ['::1', '169.254.169.254', '127.0.0.1'],
    'mapped.example': ['::ffff:10.0.0.7'],
    'nothing.example': [],
  };
  const outbound = door(t, {
    allow: [`127.0.0.1:${port}`],
    resolve: (name) =>
      Promise.resolve(
        (answers[name] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
  });
  const mixed = await outbound.send({ method: 'GET', url: `http://mixed.example:${port}/` });
  assert.equal(parsed(mixed.body).headers['host'], `mixed.example:${port}`);
  for (const [name, text] of [
    ['inside.example', /private network/],
    ['mapped.example', /private network/],
    ['nothing.example', /no address/],
  ] as const) {
    await assert.rejects(
      outbound.send({ method: 'GET', url: `http://${name}:${port}/` }),
      code('egress_forbidden', text),
    );
  }
  // Allowed on one port is not allowed on another.
  await assert.rejects(
    outbound.send({ method: 'GET', url: `http://mixed.example:${port + 1}/` }),
    code('egress_forbidden'),
  );
});

test('a redirect cannot reach what a direct call cannot', async (t) => {
  const { url } = await provider(t, (request, response) => {
    response.writeHead(302, { location: decodeURIComponent(request.url?.slice(1) ?? '') }).end();
  });
  const outbound = door(t);
  for (const target of [
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    '//10.0.0.1/',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'http://user:pass@127.0.0.1/',
  ]) {
    await assert.rejects(
      outbound.send({ method: 'GET', url: `${url}/${encodeURIComponent(target)}` }),
      code('egress_forbidden'),
      target,
    );
  }
});

test('a loop of redirects ends', async (t) => {
  let calls = 0;
  const { url } = await provider(t, (_request, response) => {
    calls += 1;
    response.writeHead(302, { location: '/' }).end();
  });
  await assert.rejects(
    door(t).send({ method: 'GET', url }),
    code('provider_unreachable', /redirected too many times/),
  );
  assert.equal(calls, 6);
});

test('a credential travels only to its own hosts, and to no other by redirect', async (t) => {
  const other = await provider(t, seen);
  const own = await provider(t, (request, response) => {
    if (request.url?.startsWith('/away')) response.writeHead(307, { location: `${other.url}/landed` }).end();
    else if (request.url?.startsWith('/here')) response.writeHead(307, { location: '/landed' }).end();
    else seen(request, response);
  });
  const outbound = door(t);
  const request = (url: string) => ({
    method: 'POST',
    url,
    body: 'hello',
    headers: { 'X-Other-Key': 'typed by a person', cookie: 'a=b', accept: 'text/plain' },
    credential: {
      isFor: (to: URL) => to.host === new URL(own.url).host,
      placement: { headers: { authorization: 'Bearer secret' }, query: { key: 'secret' } },
    },
  });
  const here = parsed((await outbound.send(request(`${own.url}/here?x=1`))).body);
  assert.equal(here.headers['authorization'], 'Bearer secret');
  assert.equal(here.headers['x-other-key'], 'typed by a person');
  assert.equal(here.url, '/landed?key=secret');

  const away = await outbound.send(request(`${own.url}/away`));
  assert.equal(away.body.includes('secret'), false);
  assert.equal(away.body.includes('typed by'), false);
  assert.deepEqual(
    Object.keys(parsed(away.body).headers)
      .filter((name) => !['host', 'connection'].includes(name))
      .sort(),
    ['accept', 'accept-encoding', 'content-length', 'user-agent'],
  );

  await assert.rejects(
    outbound.send(request(`${other.url}/`)),
    code('egress_forbidden', /credential of this connection/),
  );
});

test("a credential's header replaces the caller's, however each is spelt", async (t) => {
  const { url } = await provider(t, seen);
  const response = await door(t).send({
    method: 'GET',
    url,
    headers: { 'x-api-key': 'of the caller' },
    credential: { isFor: () => true, placement: { headers: { 'X-Api-Key': 'of the connection' } } },
  });
  assert.equal(parsed(response.body).headers['x-api-key'], 'of the connection');
});

test('a header that would smuggle another request is refused before anything is sent', async (t) => {
  let calls = 0;
  const { url } = await provider(t, (_request, response) => {
    calls += 1;
    response.end();
  });
  for (const headers of [
    { 'x-a': 'b\r\nx-c: d' },
    { 'transfer-encoding': 'chunked' },
    { expect: '100-continue' },
  ]) {
    const sent = door(t).send({ method: 'POST', url, headers, body: '{}' });
    await assert.rejects(sent, code('invalid_request', /^headers: hold one that HTTP does not allow/));
  }
  assert.equal(calls, 0);
});

test('a POST answered 303 becomes a GET without its body; 307 keeps both', async (t) => {
  const { url } = await provider(t, (request, response) => {
    if (request.url === '/end') {
      void Readable.from(request)
        .toArray()
        .then((chunks) =>
          response.end(JSON.stringify({ method: request.method, body: Buffer.concat(chunks).toString() })),
        );
    } else {
      request.resume();
      response.writeHead(Number(request.url?.slice(1)), { location: '/end' }).end();
    }
  });
  const outbound = door(t);
  const after = async (status: number) =>
    JSON.parse(
      (await outbound.send({ method: 'POST', url: `${url}/${status}`, body: 'x' })).body.toString(),
    ) as unknown;
  assert.deepEqual(await after(303), { method: 'GET', body: '' });
  assert.deepEqual(await after(302), { method: 'GET', body: '' });
  assert.deepEqual(await after(307), { method: 'POST', body: 'x' });
});

test('an endless answer and a compression bomb stop at the limit', async (t) => {
  const bomb = gzipSync(Buffer.alloc(5_000_000));
  const { url } = await provider(t, (request, response) => {
    if (request.url === '/bomb') response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    else Readable.from(endless()).pipe(response);
  });
  const outbound = door(t);
  for (const path of ['/endless', '/bomb']) {
    await assert.rejects(
      outbound.send({ method: 'GET', url: url + path, maxResponseBytes: 100_000 }),
      code('egress_response_too_large', /100000 bytes/),
    );
  }
  const whole = await outbound.send({ method: 'GET', url: `${url}/bomb` });
  assert.equal(whole.body.length, 5_000_000);
});

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(16_384);
}

test('a provider that never answers, or never ends, is a timeout', async (t) => {
  const { url } = await provider(t, (request, response) => {
    if (request.url === '/half') response.writeHead(200).write('half');
  });
  const outbound = door(t);
  for (const path of ['/never', '/half']) {
    await assert.rejects(
      outbound.send({ method: 'GET', url: url + path, timeoutMs: 80 }),
      code('egress_timeout', /within 80 ms/),
    );
  }
});

test('a caller that gives up gets its own reason back', async (t) => {
  const { url } = await provider(t, () => undefined);
  const stop = new AbortController();
  const sent = door(t).send({ method: 'GET', url, signal: stop.signal });
  stop.abort(new Error('stopped by the customer'));
  await assert.rejects(sent, /stopped by the customer/);
});

test('safe calls are retried on refusals and lost answers; a call that must happen once is not', async (t) => {
  const attempts = new Map<string, number>();
  const { url } = await provider(t, (request, response) => {
    const path = request.url ?? '';
    const number = (attempts.get(path) ?? 0) + 1;
    attempts.set(path, number);
    if (number === 3) response.end('at last');
    else if (path.startsWith('/reset')) request.socket.destroy();
    else response.writeHead(path.startsWith('/429') ? 429 : 503, { 'retry-after': '0' }).end();
  });
  const outbound = door(t);
  for (const effect of ['read', 'repeatable'] as const) {
    for (const path of [`/429/${effect}`, `/503/${effect}`, `/reset/${effect}`]) {
      const response = await outbound.send({ method: 'PUT', url: url + path, effect });
      assert.equal(response.status, 200, path);
      assert.equal(attempts.get(path), 3);
    }
  }
  const planned = { method: 'PUT', effect: 'read', maxAttempts: 1 } as const;
  const left = await outbound.send({ ...planned, url: `${url}/503/planned` });
  assert.deepEqual([left.status, attempts.get('/503/planned')], [503, 1]);
  await assert.rejects(
    outbound.send({ ...planned, url: `${url}/reset/planned` }),
    code('provider_unreachable'),
  );
  assert.equal(attempts.get('/reset/planned'), 1);
  const refused = await outbound.send({ method: 'POST', url: `${url}/503/once`, effect: 'once' });
  assert.deepEqual([refused.status, refused.retryAfterMs, attempts.get('/503/once')], [503, 0, 1]);
  await assert.rejects(
    outbound.send({ method: 'POST', url: `${url}/reset/once`, effect: 'once' }),
    (error) =>
      code('provider_unreachable')(error) &&
      (error as AppError<'provider_unreachable'>).details.wasNotSent === false,
  );
  assert.equal(attempts.get('/reset/once'), 1);
});

test('a call that was never sent says so, and is retried even when it must happen once', async (t) => {
  const { port, url } = await provider(t, seen);
  const records: CallRecord[] = [];
  const outbound = door(t, {
    onCall: (record) => records.push(record),
    // The first two answers of the name server lead nowhere.
    resolve: () => {
      if (records.length >= 2) return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
      return Promise.reject(Object.assign(new Error('try again'), { code: 'EAI_AGAIN' }));
    },
  });
  const response = await outbound.send({ method: 'POST', url: `http://crm.example:${port}/`, body: 'x' });
  assert.equal(response.status, 200);
  assert.deepEqual(
    records.map((record) => record.error ?? record.status),
    ['provider_unreachable', 'provider_unreachable', 200],
  );
  await assert.rejects(
    door(t).send({ method: 'POST', url: url.replace(String(port), '1'), body: 'x' }),
    (error) =>
      code('provider_unreachable', /refused/)(error) &&
      (error as AppError<'provider_unreachable'>).details.wasNotSent === true,
  );
});

test('a wait longer than ten seconds is handed to the caller', async (t) => {
  const { url } = await provider(t, (_request, response) =>
    response.writeHead(429, { 'retry-after': '120' }).end(),
  );
  const response = await door(t).send({ method: 'GET', url, effect: 'read' });
  assert.deepEqual([response.status, response.retryAfterMs], [429, 120_000]);
});

test('log records hold neither query nor token-like path parts', async (t) => {
  const { url } = await provider(t, seen);
  const records: CallRecord[] = [];
  await door(t, { onCall: (record) => records.push(record) }).send({
    method: 'GET',
    url: `${url}/hooks/T0123456789abcdefghijkl/v2?access_token=abc`,
  });
  assert.equal(records[0]?.url, `${url}/hooks/T012…/v2?…`);
});

test('sockets are reused', async (t) => {
  let sockets = 0;
  const { url } = await provider(t, (_request, response) => response.end('ok'));
  const outbound = door(t, {
    resolve: () => {
      sockets += 1;
      return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    },
  });
  const named = url.replace('127.0.0.1', 'crm.example');
  for (let i = 0; i < 50; i += 1) await outbound.send({ method: 'GET', url: named });
  assert.equal(sockets, 1);
});
