import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('main.ts', import.meta.url));

function run(t: TestContext, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function firstLine(child: ChildProcess, stream: 'stdout' | 'stderr'): Promise<string> {
  const input = child[stream];
  assert.ok(input);
  const [line] = (await once(createInterface({ input }), 'line')) as [string];
  return line;
}

test('the program says in one JSON line where it listens and stops within a second of SIGTERM', async (t) => {
  const clients = [
    { client_id: 'a', client_secret: 'secret-a', name: 'A', redirect_uris: ['http://localhost:1/cb'] },
  ];
  const child = run(t, { ACME_PORT: '0', ACME_CLIENTS: JSON.stringify(clients) });
  const { event, url } = JSON.parse(await firstLine(child, 'stdout')) as { event: string; url: string };
  assert.equal(event, 'listening');
  // Leaves a connection open, as a browser does.
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await fetch(`${url}/control/stats`)).status, 404);
  const asked = performance.now();
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.ok(performance.now() - asked < 1_000);
});

test('a port in use is one clear sentence and a failure', async (t) => {
  const first = run(t, { ACME_PORT: '0' });
  const { url } = JSON.parse(await firstLine(first, 'stdout')) as { url: string };
  const { port } = new URL(url);
  const second = run(t, { ACME_PORT: port });
  const exit = once(second, 'exit');
  assert.equal(
    await firstLine(second, 'stderr'),
    `Acme CRM cannot start: port ${port} is in use; set ACME_PORT to a free one, or to 0 for any`,
  );
  assert.deepEqual(await exit, [1, null]);
});

test('wrong settings are named, all of them', async (t) => {
  const child = run(t, { ACME_PORT: 'many', ACME_CLIENTS: '{', ACME_CONTROL: 'yes' });
  const exit = once(child, 'exit');
  const line = await firstLine(child, 'stderr');
  for (const name of ['ACME_PORT', 'ACME_CLIENTS must be JSON', 'ACME_CONTROL'])
    assert.ok(line.includes(name), line);
  assert.deepEqual(await exit, [1, null]);
});
