import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as prettier from 'prettier';
import { connectorCommand } from '#cli/connector';
import type { ConnectorDeps } from '#cli/connector-folder';
import { skeleton } from '#cli/connector-skeleton';

/** A folder for connectors where `#kit/index` means the real kit. */
async function workshop(t: TestContext, env: ConnectorDeps['env'] = {}) {
  const root = await mkdtemp(join(tmpdir(), 'inlay-connectors-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'node_modules/@inlay'), { recursive: true });
  await mkdir(join(root, 'src'));
  await symlink(
    fileURLToPath(new URL('../../../connectors', import.meta.url)),
    join(root, 'node_modules/@inlay/connectors'),
  );
  const manifest = { type: 'module', imports: { '#kit/index': '@inlay/connectors/kit' } };
  await writeFile(join(root, 'package.json'), JSON.stringify(manifest));
  const printed: string[] = [];
  const deps: ConnectorDeps = {
    folder: pathToFileURL(`${root}/src/`),
    env,
    now: () => new Date('2026-03-01T12:00:00Z'),
    print: (text) => printed.push(text),
  };
  return { root, printed, run: (...args: string[]) => connectorCommand(args, deps) };
}

/** A provider that knows one thing, and who may see it. */
async function provider(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === 'Bearer s3cr3t-key';
    const body = isKnown
      ? { id: 1234567890123456, path: request.url, owner: 'jo@corp.com', echo: request.headers.authorization }
      : { message: 'Who are you?' };
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json', 'x-noise': 'yes' });
    response.end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => {
    server.once('listening', resolve);
  });
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a new connector loads, and check lists exactly what is left to write', async (t) => {
  const { printed, run } = await workshop(t);
  assert.equal(await run('new', 'little-crm'), 0);
  assert.equal(await run('check', 'little-crm'), 1);
  assert.deepEqual(printed.slice(2), [
    'little-crm: 3 to do',
    '  description: say in description what one can do with it',
    '  setup: setup.md still has a TODO',
    '  catalogue: src/index.ts does not list it',
  ]);
});

test('a recording is a real call without its secrets, and replays', async (t) => {
  const { root, printed, run } = await workshop(t, { INLAY_RECORD_API_KEY: 's3cr3t-key' });
  await run('new', 'recorded');
  const file = join(root, 'src/recorded/recorded.ts');
  const source = await readFile(file, 'utf8');
  const movable = "vars: { api: field.url({ label: 'API' }) },\n  baseUrl: '{api}'";
  await writeFile(file, source.replace("baseUrl: 'https://api.example.com'", movable));

  const api = `api=${await provider(t)}`;
  const input = '{"thingId":"a/b"}';
  assert.equal(
    await run('record', 'recorded', 'getThing', '--case', 'real', '--input', input, '--var', api),
    0,
  );
  const text = await readFile(join(root, 'src/recorded/recordings/getThing.real.json'), 'utf8');
  const body = {
    id: 1234567890123456,
    path: '/v1/things/a%2Fb',
    owner: 'person1@example.com',
    echo: '[secret]',
  };
  assert.deepEqual(JSON.parse(text), {
    now: '2026-03-01T12:00:00.000Z',
    input: { thingId: 'a/b' },
    calls: [
      { request: { method: 'GET', path: '/v1/things/a%2Fb' }, response: { status: 200, headers: {}, body } },
    ],
    output: body,
  });
  await run('check', 'recorded');
  assert.doesNotMatch(printed.slice(3).join('\n'), /recordings:/);
  await assert.rejects(
    run('record', 'recorded', 'getThing', '--case', 'real', '--input', input, '--var', api),
    /getThing\.real\.json exists\. Overwrite it with --force/,
  );
});

test('mistakes are answered in one sentence', async (t) => {
  const { run } = await workshop(t);
  await run('new', 'mine');
  const cases: readonly [readonly string[], RegExp][] = [
    [[], /Usage: inlay connector/],
    [['bake'], /"bake" is not a connector command/],
    [['new', 'Bad Slug'], /lower-case words/],
    [['new', '../up'], /lower-case words/],
    [['new', 'mine'], /mine\/ exists already/],
    [['check', 'none'], /There is no connector "none"\. There are "mine"/],
    [['record', 'mine'], /Say what to record/],
    [['record', 'mine', 'getNothing'], /Action getNothing not found in Application mine/],
    [['record', 'mine', 'a.b.c'], /names no subject/],
    [['record', 'mine', 'getThing', '--case', 'x', '--input', '[1]'], /missing|object/],
    [['record', 'mine', 'getThing', '--case', 'x'], /Required parameter 'apiKey' is missing/],
  ];
  for (const [args, expected] of cases) {
    await assert.rejects(run(...args), (error: Error) => {
      assert.equal(error.name, 'StartupError');
      assert.match(error.message, expected);
      return true;
    });
  }
});

test('the skeleton is formatted as this repository is', async () => {
  const config = await prettier.resolveConfig(fileURLToPath(import.meta.url));
  for (const [name, content] of Object.entries(skeleton('little-crm'))) {
    if (!/\.(?:ts|md|json)$/.test(name)) continue;
    assert.ok(await prettier.check(content, { ...config, filepath: name }), `${name} is not formatted`);
  }
});
