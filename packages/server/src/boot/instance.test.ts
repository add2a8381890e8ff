import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { claimDataFolder, readRunState, type RunState } from '#boot/instance';

const state: RunState = {
  pid: 4711,
  version: '0.0.0',
  role: 'all',
  startedAt: '2030-01-01T00:00:00.000Z',
  listening: 'http://localhost:4000',
  api: 'http://localhost:4000',
  dashboard: 'http://localhost:4000',
  portal: 'http://localhost:4000/connect',
  reference: 'http://localhost:4000/reference',
  acmeCrm: null,
  database: 'embedded',
  databaseUrl: null,
  owner: null,
  keys: { test: 'tk-1', production: 'pk-1' },
  demo: null,
};

test('a data folder is claimed by one program; the next is told by whom', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-claim-'));
  t.after(() => rm(folder, { recursive: true, force: true }));

  const first = await claimDataFolder(folder, false);
  await first.publish(state);
  await assert.rejects(claimDataFolder(folder, false), {
    name: 'StartupError',
    message: /runs already.*process 4711, http:\/\/localhost:4000.*--role worker/,
  });
  const worker = await claimDataFolder(folder, true);
  await worker.release();
  assert.deepEqual(await readRunState(folder), state);

  await first.release();
  assert.equal(await readRunState(folder), undefined);
  await (await claimDataFolder(folder, false)).release();
});

test('the published state holds keys, so only its owner may read it', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-claim-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const instance = await claimDataFolder(folder, false);
  await instance.publish(state);
  const { mode } = await stat(path.join(folder, 'run/state.json'));
  assert.equal(mode & 0o777, 0o600);
  await instance.release();
});
