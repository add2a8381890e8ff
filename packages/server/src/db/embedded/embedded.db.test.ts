import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { openEmbeddedPostgres } from '#db/embedded/index';

let parent: string;
before(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'inlay-embedded-'));
  await chmod(parent, 0o755); // root's PostgreSQL runs as another account, which must get in
});
after(() => rm(parent, { recursive: true, force: true }));

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function serverPid(home: string): Promise<number> {
  return Number.parseInt(await readFile(path.join(home, 'postgres/data/postmaster.pid'), 'utf8'));
}

test('the data survives a killed PostgreSQL, a killed program and a stop', async () => {
  const home = path.join(parent, 'survivor');
  const first = await openEmbeddedPostgres(home);
  try {
    assert.equal(first.wasRunning, false);
    await query(first.url, 'create table kept as select 1 as one');

    // Our program was killed: the next one takes the server over.
    const second = await openEmbeddedPostgres(home);
    assert.equal(second.wasRunning, true);
    assert.equal(await second.revive(), false);

    // PostgreSQL itself was killed: its processes may take a moment to let go of the shared memory.
    process.kill(await serverPid(home), 'SIGKILL');
    const deadline = Date.now() + 10_000;
    while (!(await second.revive())) assert.ok(Date.now() < deadline, 'the server was not seen to be dead');
    assert.deepEqual(await query(second.url, 'select one from kept'), [{ one: 1 }]);

    await second.stop();
    const third = await openEmbeddedPostgres(home);
    assert.equal(third.wasRunning, false);
    assert.deepEqual(await query(third.url, 'select one from kept'), [{ one: 1 }]);
  } finally {
    await first.stop();
  }
});

test('a lock file that names another living program does not keep PostgreSQL from starting', async () => {
  const home = path.join(parent, 'mistaken');
  const server = await openEmbeddedPostgres(home);
  try {
    const lockFile = path.join(home, 'postgres/data/postmaster.pid');
    const lock = await readFile(lockFile, 'utf8');
    await server.stop();
    await writeFile(lockFile, lock.replace(/^\d+/, String(process.pid)));
    const again = await openEmbeddedPostgres(home);
    assert.equal(again.wasRunning, false);
    assert.notEqual(await serverPid(home), process.pid);
  } finally {
    await server.stop();
  }
});

test('it starts below a path that is too long for a socket', async () => {
  const home = path.join(parent, 'x'.repeat(60), 'y'.repeat(60));
  await mkdir(home, { recursive: true });
  const server = await openEmbeddedPostgres(home);
  try {
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }]);
  } finally {
    await server.stop();
  }
});

test('a server with a client is left running, one without is stopped', async () => {
  const server = await openEmbeddedPostgres(path.join(parent, 'used'));
  const client = new Client({ connectionString: server.url });
  client.on('error', () => undefined); // the stop below ends it
  try {
    await client.connect();
    await server.stopUnlessUsed();
    assert.equal(await server.revive(), false);
    await client.end();
    await server.stopUnlessUsed();
    assert.equal(await server.revive(), true);
  } finally {
    await server.stop();
  }
});

const asRoot = process.getuid?.() === 0;

test(
  'a data folder that was deleted and made again at the same place has a new database',
  { skip: asRoot ? false : 'only root keeps the database elsewhere' },
  async () => {
    const closed = path.join(parent, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const home = path.join(closed, 'data');
    const marks = `select 1 from pg_class where relname = 'mark'`;
    for (const round of ['first', 'remade']) {
      const server = await openEmbeddedPostgres(home);
      try {
        assert.deepEqual(await query(server.url, marks), [], round);
        await query(server.url, 'create table mark as select 1 as one');
        await server.stop();
        const again = await openEmbeddedPostgres(home);
        assert.equal((await query(again.url, marks)).length, 1, `${round}: the data is found again`);
        await chmod(closed, 0o711);
        assert.equal((await openEmbeddedPostgres(home)).wasRunning, true, 'also once others may enter');
        await chmod(closed, 0o700);
      } finally {
        await server.stop();
        await rm(path.dirname(await shelfOf(home)), { recursive: true, force: true });
        await rm(home, { recursive: true });
      }
    }
  },
);

async function shelfOf(home: string): Promise<string> {
  const id = (await readFile(path.join(home, 'database-id'), 'utf8')).trim();
  return path.join('/var/lib/inlay', id, 'postgres');
}

test('a new data folder can be passed through by the account of the server', async () => {
  const before = process.umask(0o077);
  const home = path.join(parent, 'new/data');
  const server = await openEmbeddedPostgres(home).finally(() => process.umask(before));
  try {
    assert.equal((await stat(home)).mode & 0o777, 0o711);
    assert.ok(await serverPid(home), 'the database is in the data folder');
  } finally {
    await server.stop();
  }
});

test('a folder that cannot be made is refused at once', { timeout: 10_000 }, async () => {
  await assert.rejects(openEmbeddedPostgres('/proc/nothing/data'), { code: 'ENOENT' });
});

test('a stop after somebody deleted the data folder is no error', async () => {
  const home = path.join(parent, 'deleted');
  const server = await openEmbeddedPostgres(home);
  const pid = await serverPid(home);
  await rm(home, { recursive: true, force: true });
  try {
    await server.stopUnlessUsed();
  } finally {
    process.kill(pid, 'SIGQUIT');
  }
});
