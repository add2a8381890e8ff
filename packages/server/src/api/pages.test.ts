import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connectors } from '@inlay/connectors';
import Fastify from 'fastify';
import type { ApiApp } from '#api/app';
import { sendError } from '#api/error-answer';
import { pageRoutes } from '#api/pages';

let dist: string;
let app: ApiApp;
before(async () => {
  dist = await mkdtemp(path.join(os.tmpdir(), 'inlay-pages-'));
  for (const name of ['portal', 'dashboard']) {
    await mkdir(path.join(dist, name, 'assets'), { recursive: true });
    await writeFile(path.join(dist, name, 'index.html'), `<title>${name}</title>`);
    await writeFile(path.join(dist, name, 'assets/app-1a2b.js'), `"${name}"`);
  }
  await writeFile(path.join(dist, 'secret.txt'), 'not a page');
  app = Fastify();
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: 'none' }));
  await pageRoutes(app, { connectors, config: { frameAncestors: ['https://app.example'] } }, dist);
});
after(async () => {
  await app.close();
  await rm(dist, { recursive: true });
});

const get = (url: string) => app.inject({ method: 'GET', url });

test('a portal link shows the portal, in the frames that the operator named only', async () => {
  for (const url of ['/connect', '/connect/abc?config_id=1']) {
    const answer = await get(url);
    assert.match(answer.body, /portal/);
    const policy = String(answer.headers['content-security-policy']);
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /frame-ancestors https:\/\/app\.example$/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['cross-origin-opener-policy'], undefined);
  }
});

test('every other path shows the dashboard, in no frame', async () => {
  for (const url of ['/', '/apps/gong/settings']) {
    const answer = await get(url);
    assert.match(answer.body, /dashboard/);
    assert.match(String(answer.headers['content-security-policy']), /frame-ancestors 'none'/);
    assert.doesNotMatch(
      String(answer.headers['content-security-policy']),
      /unsafe-inline'.*script|script-src[^;]*unsafe/,
    );
  }
});

test('built files are cached for good, and nothing outside their folder is served', async () => {
  const asset = await get('/connect/assets/app-1a2b.js');
  assert.equal(asset.body, '"portal"');
  assert.match(String(asset.headers['cache-control']), /immutable/);
  for (const url of [
    '/assets/../../secret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/connect/assets/..%2f..%2f..%2fsecret.txt',
    '/assets/%00',
    '/secret.txt',
  ]) {
    const answer = await get(url);
    assert.doesNotMatch(answer.body, /not a page/, url);
    assert.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${url} ${answer.statusCode}`);
  }
});

test('an unknown API path is no page', async () => {
  for (const url of ['/api/v2/public/unknown', '/api', '/favicon.ico'])
    assert.equal((await get(url)).statusCode, 404);
});

test("an app's logo is served, and cannot run scripts where it is opened", async () => {
  const icon = await get('/icons/gong.svg');
  assert.equal(icon.statusCode, 200, icon.body);
  assert.match(String(icon.headers['content-type']), /^image\/svg\+xml/);
  assert.match(String(icon.headers['content-security-policy']), /sandbox/);
  assert.equal((await get('/icons/nothing.svg')).statusCode, 404);
});
