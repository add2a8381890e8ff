import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { http } from '#engine/nodes/http';
import { createNodeBench, type NodeBench } from '#engine/nodes/testing';

let bench: NodeBench;
let server: Server;
let base: string;
/** What the server does, by path. */
const routes = new Map<string, (request: IncomingMessage, response: ServerResponse, body: string) => void>();

async function listening(on: Server): Promise<number> {
  await new Promise<void>((resolve) => on.listen(0, '127.0.0.1', resolve));
  return (on.address() as AddressInfo).port;
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    routes.get(pathname)?.(request, response, Buffer.concat(chunks).toString());
  });
}

function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

before(async () => {
  bench = await createNodeBench();
  server = createServer(handle);
  base = `http://127.0.0.1:${await listening(server)}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await bench.close();
});

describe('bodies are sent in the form that their type asks for', () => {
  const sent: { type: string | undefined; body: string }[] = [];
  before(() => {
    routes.set('/echo', (request, response, body) => {
      sent.push({ type: request.headers['content-type'], body });
      json(response, { ok: true });
    });
  });
  const cases: readonly (readonly [string, unknown, RegExp, RegExp])[] = [
    ['json', { a: 1, b: [true] }, /^application\/json/, /^\{"a":1,"b":\[true\]\}$/],
    ['xml', '<a>1</a>', /^application\/xml/, /^<a>1<\/a>$/],
    ['HTML', '<p>x</p>', /^text\/html/, /^<p>x<\/p>$/],
    ['text', 'plain', /^text\/plain/, /^plain$/],
    ['urlencoded', { a: 1, b: { c: true }, d: 'x y' }, /urlencoded/, /^a=1&b=%7B%22c%22%3Atrue%7D&d=x\+y$/],
    ['form-data', { a: 1, b: 'x' }, /^multipart\/form-data; boundary/, /name="a"\r\n\r\n1\r\n[^]*name="b"/],
  ];
  for (const [type, body, contentType, written] of cases) {
    test(type, async () => {
      await bench.body(http, { method: 'POST', url: `${base}/echo`, body_type: type, body });
      const { type: seen, body: text } = sent.at(-1)!;
      assert.match(seen ?? '', contentType);
      assert.match(text, written);
    });
  }
});

describe('pages', () => {
  test('of an answer are merged, and each is asked for once', async () => {
    const asked: string[] = [];
    routes.set('/list', (request, response) => {
      const page = Number(new URL(request.url ?? '', base).searchParams.get('page'));
      asked.push(request.url ?? '');
      json(response, { rows: page < 3 ? [{ id: page }] : [], page });
    });
    const url = `${base}/list?filter=x`;
    const body = await bench.body(http, { url, pagination: { type: 'page', records_path: 'rows' } });
    assert.deepEqual(body['body'], { rows: [{ id: 1 }, { id: 2 }], page: 3 });
    assert.deepEqual(asked, ['/list?filter=x&page=1', '/list?filter=x&page=2', '/list?filter=x&page=3']);
  });

  test('of a time range end when the node began, however late an attempt of it is made', async () => {
    const asked: (string | null)[] = [];
    routes.set('/range', (request, response) => {
      asked.push(new URL(request.url ?? '', base).searchParams.get('to'));
      json(response, { rows: [asked.length] });
    });
    const begunAt = new Date('2026-03-02T00:00:00Z');
    const pagination = { type: 'time_range', from: '2026-03-01T00:00:00Z', window_s: 43_200 };
    const settings = http.settings.parse({ method: 'GET', url: `${base}/range`, pagination });
    await http.run(settings, { ...bench.context, begunAt, now: new Date('2026-03-03T00:00:00Z') });
    assert.deepEqual(asked, ['2026-03-01T12:00:00.000Z', '2026-03-02T00:00:00.000Z']);
  });

  test('that repeat end the asking, and the repeated one is dropped', async () => {
    let asked = 0;
    routes.set('/same', (_request, response) => ((asked += 1), json(response, [1, 2])));
    const body = await bench.body(http, { url: `${base}/same`, pagination: { type: 'page' } });
    assert.deepEqual([body['body'], asked], [[1, 2], 2]);
  });

  test('may be asked for in the body or by a header, and by a full address', async () => {
    const seen: unknown[] = [];
    routes.set('/search', (request, response, text) => {
      seen.push([request.headers['x-page'], text]);
      json(
        response,
        [seen.length].filter((n) => n % 2 === 1),
      );
    });
    const search = { method: 'POST', url: `${base}/search`, body: { q: 'x' } };
    await bench.body(http, { ...search, pagination: { type: 'page', inject: 'body' } });
    await bench.body(http, {
      ...search,
      pagination: { type: 'page', inject: 'headers', page_key: 'X-Page' },
    });
    assert.deepEqual(seen, [
      [undefined, '{"q":"x","page":"1"}'],
      [undefined, '{"q":"x","page":"2"}'],
      ['1', '{"q":"x"}'],
      ['2', '{"q":"x"}'],
    ]);
    routes.set('/first', (_request, response) =>
      json(response, { rows: [1], next: `${base}/second?token=t` }),
    );
    routes.set('/second', (_request, response) => json(response, { rows: [2], next: null }));
    const cursor = { type: 'cursor', cursor_path: 'next' };
    const body = await bench.body(http, { url: `${base}/first`, pagination: cursor });
    assert.deepEqual(body['body'], { rows: [1, 2], next: null });
  });

  test('at another host are refused: the headers of the request are not theirs to see', async () => {
    routes.set('/away', (_request, response) => json(response, { rows: [1], next: 'https://evil.example/' }));
    const settings = { url: `${base}/away`, pagination: { type: 'cursor', cursor_path: 'next' } };
    assert.match(await bench.failure(http, settings), /https:\/\/evil\.example.*only/);
  });

  test('that fail end the node with what the provider said', async () => {
    routes.set('/broken', (request, response) =>
      json(response, { why: 'tired' }, request.url?.includes('page=2') === true ? 503 : 200, {
        'retry-after': '7',
      }),
    );
    const outcome = await bench.run(http, { url: `${base}/broken`, pagination: { type: 'page' } });
    assert.ok(outcome.kind === 'failed');
    const { status, body, retry, retryAfterMs } = outcome.failure;
    assert.deepEqual([status, body, retry, retryAfterMs], [503, { why: 'tired' }, 'unknown', 7_000]);
  });
});

test('a response is kept as a file, in a stream, and its link comes out instead of its content', async () => {
  const content = Buffer.alloc(700_000, 'abc');
  routes.set('/report.csv', (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/csv' }).end(content),
  );
  const body = await bench.body(http, { url: `${base}/report.csv`, save_to_file: 'true' });
  const file = body['body'] as Record<string, unknown>;
  assert.deepEqual([file['file_name'], file['file_size']], ['report.csv', 700_000]);
  assert.ok((await bench.content(String(file['file_url']))).equals(content));
  routes.set('/denied', (_request, response) => json(response, { why: 'no' }, 403));
  const refused = await bench.run(http, { url: `${base}/denied`, response_type: 'stream' });
  assert.ok(refused.kind === 'failed');
  assert.deepEqual([refused.failure.status, refused.failure.body], [403, { why: 'no' }]);
});

const cert = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUQtzGLMHTec4cvwH10AhOZ2mdAfgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE1NDI1MVoYDzIxMjYxMDI4
MTU0MjUxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARR4Th3ur6uttn7pbLFZYGMcTtu6lCf5u9cwhr2JoKvkpN6MvbGSn2R
/U/ioUVCE4mXgD0o9SsjzjPAdYG+2RMWo28wbTAdBgNVHQ4EFgQUIzSLLr2UwuAs
SKSxPQ0x7/AoM7wwHwYDVR0jBBgwFoAUIzSLLr2UwuAsSKSxPQ0x7/AoM7wwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgLT5HHrvG+aD1iiqsMX1rShOP1by4IO3jf9opNL32c/QCIHUS
0+Xfy47ijhBCjE+Xe9vc700yLx+ovZQHCBxDbAbP
-----END CERTIFICATE-----`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglYx3AkNfaxrpEwUS
j5WrVjDbXuuXnsp/OLGN25b4leuhRANCAARR4Th3ur6uttn7pbLFZYGMcTtu6lCf
5u9cwhr2JoKvkpN6MvbGSn2R/U/ioUVCE4mXgD0o9SsjzjPAdYG+2RMW
-----END PRIVATE KEY-----`;

test('mutual TLS presents the certificate, and believes the given authority', async (t) => {
  const options = { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true };
  const secure = createTlsServer(options, (request, response) => {
    json(response, { subject: (request.socket as TLSSocket).getPeerCertificate().subject.CN });
  });
  const url = `https://127.0.0.1:${await listening(secure)}/`;
  t.after(() => {
    secure.closeAllConnections();
    secure.close();
  });
  const certificate = { mtls: true, client_certificate: cert, client_key: key };
  const body = await bench.body(http, { url, ...certificate, trust_store: cert });
  assert.deepEqual(body['body'], { subject: 'localhost' });
  assert.match(await bench.failure(http, { url, trust_store: cert }), /could not be reached|reset|CERT/i);
  assert.match(await bench.failure(http, { url, ...certificate }), /could not be reached|SELF_SIGNED/i);
});

test('settings that make no sense are refused, each naming its field', async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ url: 'ftp://x' }, /url.*http/],
    [{ url: base, method: 'TRACE' }, /method/],
    [{ url: base, body_type: 'yaml' }, /body_type/],
    [{ url: base, response_type: 'blob' }, /response_type/],
    [{ url: base, mtls: true }, /client_certificate/],
    [{ url: base, mtls: true, client_certificate: cert }, /client_key/],
    [{ url: base, save_to_file: true, pagination: { type: 'page' } }, /pagination/],
    [{ url: base, pagination: { type: 'cursor' } }, /pagination\.cursor_path/],
  ];
  for (const [settings, message] of cases) assert.match(await bench.failure(http, settings), message);
});
