import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi();
});
after(() => api.close());

async function* bytes(content: Buffer | string): AsyncGenerator<Buffer> {
  yield Buffer.from(content);
}

async function linkTo(content: Buffer | string, name: string, contentType: string): Promise<string> {
  const { url } = await api.deps.files.write(api.org.tenant, { name, contentType }, bytes(content));
  return new URL(url).pathname;
}

const get = (url: string, headers: Record<string, string> = {}) =>
  api.app.inject({ method: 'GET', url, headers });

test('a link serves the file to whoever holds it, to be saved and never shown', async () => {
  const url = await linkTo('a,b\n1,2\n', 'Überblick "Q1".csv', 'text/csv; charset=utf-8');
  const answer = await get(url);
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.body, 'a,b\n1,2\n');
  assert.equal(answer.headers['content-type'], 'text/csv');
  assert.equal(
    answer.headers['content-disposition'],
    `attachment; filename="_berblick _Q1_.csv"; filename*=UTF-8''%C3%9Cberblick%20%22Q1%22.csv`,
  );
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.equal(answer.headers['content-length'], '8');
});

test('no file is served under a type that a browser would run', async () => {
  for (const type of ['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/javascript', 'text/xml']) {
    const answer = await get(await linkTo('<script>alert(1)</script>', 'x.html', type));
    assert.equal(answer.headers['content-type'], 'application/octet-stream', type);
    assert.match(String(answer.headers['content-disposition']), /^attachment/);
    assert.match(String(answer.headers['content-security-policy']), /sandbox/);
  }
});

test('a part of a file is served by range', async () => {
  const content = randomBytes(600_000);
  const url = await linkTo(content, 'x.bin', 'application/octet-stream');
  const ranges: [string, number, number][] = [
    ['bytes=0-9', 0, 9],
    ['bytes=300000-', 300_000, 599_999],
    ['bytes=-5', 599_995, 599_999],
    ['bytes=599990-700000', 599_990, 599_999],
  ];
  for (const [range, from, to] of ranges) {
    const answer = await get(url, { range });
    assert.equal(answer.statusCode, 206);
    assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/600000`);
    assert.ok(content.subarray(from, to + 1).equals(answer.rawPayload), range);
  }
  const beyond = await get(url, { range: 'bytes=600000-' });
  assert.equal(beyond.statusCode, 416);
  assert.equal(beyond.headers['content-range'], 'bytes */600000');
  assert.equal((await get(url, { range: 'bytes=0-1,5-6' })).statusCode, 200);
  const head = await api.app.inject({ method: 'HEAD', url });
  assert.equal(head.headers['content-length'], '600000');
  assert.equal(head.rawPayload.length, 0);
});

test('a wrong link answers 404 in JSON', async () => {
  const url = await linkTo('x', 'x.txt', 'text/plain');
  const wrong = await get(url.replace(/\.[\w-]{5}/, '.AAAAA'));
  assert.equal(wrong.statusCode, 404);
  assert.match(wrong.json().message, /not found/);
  assert.equal((await get('/files/nonsense/x.txt')).statusCode, 404);
});
