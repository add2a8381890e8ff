import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
let origin: string;
before(async () => {
  api = await createTestApi();
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  origin = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
});
after(() => api.close());

const url = () => `${origin}/api/v2/public/linked-account`;

function post(body: string | Buffer, headers: Record<string, string> = {}) {
  return fetch(url(), {
    method: 'POST',
    headers: { 'x-api-key': api.org.keys.test, 'content-type': 'application/json', ...headers },
    body: body as string,
  });
}

interface WireError {
  status_code: number;
  http_error_type: string;
  error_type: string;
  error_code: string;
  error: string;
  message: string;
  request_id: string;
}

async function refusal(answer: Response, status: number): Promise<WireError> {
  assert.equal(answer.status, status);
  assert.match(String(answer.headers.get('content-type')), /^application\/json/);
  const body = (await answer.json()) as WireError;
  assert.equal(body.status_code, status);
  assert.equal(body.error_code, body.error);
  assert.equal(body.http_error_type, body.error_type);
  assert.ok(body.message.length > 0);
  assert.equal(answer.headers.get('x-trace-id'), body.request_id);
  return body;
}

/** What a server must still do after it refused something. */
async function isUnharmed(): Promise<void> {
  assert.equal((await fetch(`${origin}/readyz`)).status, 200);
}

test('a body of 10 MB is refused with the limit in words', async () => {
  const body = await refusal(await post(`{"name": "${'x'.repeat(10_000_000)}"}`), 413);
  assert.equal(body.http_error_type, 'PAYLOAD_TOO_LARGE');
  assert.match(body.message, /1048576 bytes/);
  await isUnharmed();
});

/** A connection on which a body of `length` bytes is announced. */
function announceBody(length: number) {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => undefined); // being cut off is what some of these tests want
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.write(
    `POST /api/v2/public/linked-account HTTP/1.1\r\nhost: a\r\nx-api-key: ${api.org.keys.test}\r\n` +
      `content-type: application/json\r\ncontent-length: ${length}\r\n\r\n`,
  );
  const answered = async (status: string) => {
    while (!received.includes(`HTTP/1.1 ${status}`)) {
      await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      assert.ok(!socket.destroyed, `the connection was cut before ${status} came: ${received}`);
    }
  };
  return { socket, answered };
}

test('whoever sends too much reads why: the connection is not cut while the body still comes', async () => {
  const { socket, answered } = announceBody(2_000_000);
  await answered('413 Payload Too Large');
  socket.write(Buffer.alloc(2_000_000, 0x20));
  socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
  await answered('200 OK');
  socket.destroy();
});

test('a body without end is cut off', async () => {
  const { socket } = announceBody(100_000_000_000);
  const chunk = Buffer.alloc(1_048_576, 0x20);
  let sent = 0;
  for (; !socket.destroyed && sent < 400; sent += 1) {
    if (!socket.write(chunk) && !socket.destroyed) {
      // Not `once`, which rejects on the reset that this test waits for.
      await new Promise((resolve) => {
        socket.once('drain', resolve).once('close', resolve);
      });
    }
  }
  assert.ok(sent < 400, `${sent} MiB were taken`);
  await isUnharmed();
});

test('malformed JSON is told as such, by the place and not by the text', async () => {
  const body = await refusal(await post('{"name": "top secret",}'), 400);
  assert.match(body.message, /not valid JSON.*position/);
  assert.doesNotMatch(body.message, /top secret/);
  await isUnharmed();
});

test('a __proto__ key is refused by name and changes no prototype', async () => {
  const body = await refusal(
    await post('{"linked_account_id":"p","udf":{"__proto__":{"polluted":true}}}'),
    400,
  );
  assert.match(body.message, /"udf\.__proto__"/);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  await isUnharmed();
});

test('a content type that is not JSON is refused with the one to send', async () => {
  for (const type of [
    'text/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    '???',
  ]) {
    const body = await refusal(await post('a=1', { 'content-type': type }), 415);
    assert.match(body.message, /application\/json/);
  }
});

test('JSON that is no object is refused', async () => {
  for (const body of ['null', '[]', '"text"', '1', 'true']) {
    assert.equal((await refusal(await post(body), 400)).error_code, 'VALIDATION_ERROR');
  }
});

test('GET and DELETE may carry a body, as the Node SDK sends one', async () => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await raw(
      `${method} /api/v2/public/linked-account/nobody HTTP/1.1\r\nhost: x\r\nx-api-key: ${api.org.keys.test}\r\n` +
        `content-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{"config": "1"}`,
    );
    assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/, 'with the reason phrase that cobalt-js 8 throws');
  }
});

test('a NUL in a path, a half percent sign and an endless id get a clear answer', async () => {
  const headers = { 'x-api-key': api.org.keys.test };
  await refusal(await fetch(`${url()}/a%00b`, { headers }), 400);
  await refusal(await fetch(`${url()}/%E0%A4%A`, { headers }), 400);
  await refusal(await fetch(`${url()}/${'x'.repeat(3000)}`, { headers }), 404);
  await isUnharmed();
});

test('a request that is no HTTP is answered in JSON and closed', async () => {
  const answer = await raw('NOT HTTP AT ALL\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /application\/json/i);
  const body = JSON.parse(answer.slice(answer.indexOf('{'))) as WireError;
  assert.deepEqual([body.status_code, body.error_type], [400, 'BAD_REQUEST']);
  assert.match(body.message, /HTTP\/1\.1/);
  await isUnharmed();
});

test('endless headers are answered in the words of every other error', async () => {
  const answer = await raw(`GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  assert.match(answer, /"error_type":"REQUEST_HEADER_FIELDS_TOO_LARGE".*The headers are larger/);
});

test('a request that never becomes complete is given up', () => {
  const { requestTimeout, headersTimeout } = api.app.server;
  assert.ok(requestTimeout > 0 && requestTimeout <= 60_000, String(requestTimeout));
  assert.ok(headersTimeout > 0 && headersTimeout <= 60_000, String(headersTimeout));
});

test('a compressed body is refused, not read as if it were plain', async () => {
  const body = await refusal(await post('{"linked_account_id":"z"}', { 'content-encoding': 'gzip' }), 415);
  assert.match(body.message, /gzip/);
});

test('ids that every HTTP client resolves away are refused when the account is made', async () => {
  for (const id of ['.', '..']) {
    const body = await refusal(await post(JSON.stringify({ linked_account_id: id })), 400);
    assert.match(body.message, /no URL can name/);
  }
});

test('a nested value in udf is refused by its name', async () => {
  const body = await refusal(await post('{"linked_account_id":"n","udf":{"plan":{"tier":1}}}'), 400);
  assert.match(body.message, /^udf\.plan: expected string/);
});

test('the look of a hosted page has a sensible size', async () => {
  await post('{"linked_account_id":"look"}');
  const answer = await fetch(`${origin}/api/v2/public/connect-url`, {
    method: 'POST',
    headers: {
      'x-api-key': api.org.keys.test,
      'content-type': 'application/json',
      linked_account_id: 'look',
    },
    body: JSON.stringify({ name: 'x'.repeat(100_000) }),
  });
  await refusal(answer, 413);
});

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
