/** How the real program ends, comes back, and refuses to start: one sentence, never a stack. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, startInlay } from './inlay.ts';

const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');

interface Ending {
  readonly code: number | null;
  readonly said: string;
  readonly ms: number;
}

/** Starts the program where it cannot start, and waits for its end. */
async function refused(env: Record<string, string>, args: readonly string[] = []): Promise<Ending> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-refused-'));
  await chmod(dataDir, 0o755);
  const begun = performance.now();
  const child = spawn(process.execPath, [cli, 'start', ...args], {
    env: {
      ...process.env,
      INLAY_DATA_DIR: dataDir,
      INLAY_PORT: String(await freePort()),
      INLAY_ACME_PORT: String(await freePort()),
      INLAY_LOG_LEVEL: 'warn',
      ...env,
    },
    timeout: 30_000,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'close')) as [number | null];
  await rm(dataDir, { recursive: true, force: true });
  return { code, said, ms: performance.now() - begun };
}

function assertOneSentence({ code, said }: Ending, expected: RegExp): void {
  assert.equal(code, 1, said);
  assert.match(said, expected);
  assert.doesNotMatch(said, /^\s+at /m);
  assert.ok(said.trim().split('\n').length <= 2, said);
}

test('killed without warning, Inlay starts again on the same data in seconds', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-killed-'));
  await chmod(dataDir, 0o755);
  try {
    const killed = await startInlay({ dataDir });
    const made = await killed.call('POST', '/api/v2/public/linked-account', {
      body: { linked_account_id: 'survivor', name: 'Survivor' },
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const ended = once(killed.child, 'exit');
    killed.child.kill('SIGKILL');
    await ended;

    const begun = performance.now();
    const again = await startInlay({ dataDir });
    const seconds = (performance.now() - begun) / 1_000;
    try {
      const found = await again.call('GET', '/api/v2/public/linked-account/survivor');
      assert.equal(found.body.name, 'Survivor', JSON.stringify(found.body));
      assert.deepEqual(again.keys, killed.keys);
      assert.ok(seconds < 5, `it took ${seconds.toFixed(1)} s`);
    } finally {
      await again.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('SIGTERM ends an idle Inlay in two seconds with exit code 0, whoever keeps a connection open', async () => {
  const inlay = await startInlay();
  try {
    await fetch(`${inlay.url}/healthz`); // its connection is kept alive
    const ended = once(inlay.child, 'exit');
    const begun = performance.now();
    inlay.child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null], inlay.log());
    const ms = performance.now() - begun;
    assert.ok(ms < 2_000, `it took ${Math.round(ms)} ms`);
    assert.equal(inlay.log(), '');
  } finally {
    await inlay.stop();
  }
});

test('a port that is taken is named, with another one to choose', async () => {
  const holder = createServer().listen(0, 'localhost');
  await once(holder, 'listening');
  try {
    const { port } = holder.address() as { port: number };
    const taken = new RegExp(`^Port ${port} is taken by another program\\..*INLAY_PORT=\\d+`);
    assertOneSentence(await refused({ INLAY_PORT: String(port) }), taken);
    const acmeTaken = new RegExp(`^Port ${port} is taken by another program\\..*INLAY_ACME_PORT=\\d+`);
    assertOneSentence(await refused({ INLAY_ACME_PORT: String(port) }), acmeTaken);
  } finally {
    holder.close();
  }
});

test('a database that cannot be used is described without its password', async () => {
  const url = `postgresql://inlay:hidden-word@127.0.0.1:${await freePort()}/inlay`;
  const unreachable = await refused({ DATABASE_URL: url });
  assertOneSentence(unreachable, /^The database at DATABASE_URL .*nothing listens there/);
  assert.doesNotMatch(unreachable.said, /hidden-word/);
  const misspelt = await refused({ DATABASE_URL: 'mysql://inlay:hidden-word@localhost/inlay' });
  assertOneSentence(misspelt, /DATABASE_URL is not a postgresql:\/\/ URL/);
  assert.doesNotMatch(misspelt.said, /hidden-word/);
});

test('a key file that is none is refused and left as it is', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-key-'));
  const file = path.join(folder, 'keys.json');
  try {
    await writeFile(file, 'not a key ring', { mode: 0o600 });
    assertOneSentence(await refused({ INLAY_KEY_FILE: file }), /^The key ring ".*keys\.json" cannot be used/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the key ring of another installation does not open this data', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-keys-'));
  await chmod(dataDir, 0o755);
  try {
    await (await startInlay({ dataDir })).stop();
    await rm(path.join(dataDir, 'keys.json'));
    const ending = await refused({ INLAY_DATA_DIR: dataDir });
    assertOneSentence(ending, /key ring/);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('an unknown role, flag or setting is named', async () => {
  assertOneSentence(await refused({}, ['--role', 'boss']), /INLAY_ROLE "boss"/);
  assertOneSentence(await refused({}, ['--bogus']), /--bogus/);
  assertOneSentence(await refused({ INLAY_PROT: '4000' }), /INLAY_PROT is not a setting of Inlay/);
});

test('a data folder that cannot be made is refused at once', async () => {
  for (const dataDir of ['/proc/nothing/data', '/dev/null/data']) {
    const ending = await refused({ INLAY_DATA_DIR: dataDir });
    assertOneSentence(ending, /^The data folder ".*" cannot be written/);
    assert.ok(ending.ms < 5_000);
  }
});
