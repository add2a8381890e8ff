import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestApi, type TestApi } from '#api/testing';

let api: TestApi;
before(async () => {
  api = await createTestApi();
});
after(() => api.close());

/** Files of a page that lies under the wire's prefix. */
const isAsset = (url: string) => /\.(css|js)$/.test(url);

test('the document is OpenAPI 3.1 and holds every operation of the wire, each with its credential', async () => {
  const answer = await api.app.inject({ method: 'GET', url: '/openapi.json' });
  assert.equal(answer.statusCode, 200, answer.body.slice(0, 500));
  const document = answer.json();
  assert.equal(document.openapi, '3.1.0');
  const wire = api.app.registeredRoutes.filter(
    ({ url, method }) => /^\/api\/v\d\//.test(url) && method !== 'HEAD' && !isAsset(url),
  );
  for (const { method, url, auth } of wire) {
    const path = url.replaceAll(/:(\w+)/g, '{$1}');
    const operation = document.paths[path]?.[method.toLowerCase()];
    assert.ok(operation, `${method} ${path} is documented`);
    assert.equal(operation.security.length > 0, auth !== 'none', `${method} ${path} names its credential`);
    assert.ok(operation.responses.default, `${method} ${path} documents its errors`);
  }
});

test('every topic of the reference is explained, in one order', async () => {
  const document = (await api.app.inject({ method: 'GET', url: '/openapi.json' })).json();
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path as object));
  const used = new Set(operations.flatMap(({ tags }: { tags: string[] }) => tags));
  assert.deepEqual(document.tags.map(({ name }: { name: string }) => name).sort(), [...used].sort());
});

test("the dashboard's own calls are not in it", async () => {
  const document = (await api.app.inject({ method: 'GET', url: '/openapi.json' })).json();
  assert.deepEqual(
    Object.keys(document.paths).filter((path) => /^\/api\/(admin|portal)/.test(path)),
    [],
  );
});

test('the reference page loads nothing from elsewhere', async () => {
  const page = await api.app.inject({ method: 'GET', url: '/reference/' });
  assert.equal(page.statusCode, 200);
  assert.deepEqual(page.body.match(/https?:\/\//g), null);
  const script = await api.app.inject({
    method: 'GET',
    url: '/reference/scalar.js',
    headers: { 'accept-encoding': 'gzip' },
  });
  assert.equal(script.headers['content-encoding'], 'gzip');
  assert.ok(script.rawPayload.length > 500_000, `${script.rawPayload.length} bytes`);
});
