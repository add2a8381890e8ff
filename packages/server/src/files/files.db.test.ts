import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { createFileStore, expireFiles, readAll, type FileStore } from '#files/index';

const tenant: Tenant = { orgId: 'a'.repeat(24), environment: 'test' };
const other: Tenant = { ...tenant, environment: 'production' };
const start = new Date('2026-03-01T12:00:00Z');
const key = randomBytes(32);
const kib = 1024;

let database: TestDatabase;
let now = start;
let files: FileStore;
before(async () => {
  database = await createTestDatabase();
  files = storeWith({});
});
after(() => database.drop());

function storeWith(limits: { fileLimitBytes?: number; fileQuotaBytes?: number }): FileStore {
  return createFileStore({
    pool: database.pool,
    clock: { now: () => now },
    vault: { deriveKey: () => key },
    config: {
      publicUrl: 'https://inlay.example',
      fileLimitBytes: 10 * 1024 * kib,
      fileQuotaBytes: 0,
      ...limits,
    },
  });
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const text = (name: string) => ({ name, contentType: 'text/plain' });
const of = (content: string) => pieces(Buffer.from(content), kib);

async function rowsOf(name: string): Promise<number> {
  const { rows } = await database.pool.query('select count(*)::int as n from stored_file where name = $1', [
    name,
  ]);
  return rows[0].n;
}

test('what is written is read back byte for byte, whole or in part, whatever the sizes of its pieces', async () => {
  const content = randomBytes(700 * kib + 13);
  const written = await files.write(tenant, text('big.bin'), pieces(content, 100_003));
  assert.equal(written.size, content.length);
  assert.equal(written.sha256, createHash('sha256').update(content).digest('hex'));
  const file = await files.read(tenant, written.id);
  assert.ok(content.equals(await readAll(file.bytes())));
  const ranges = [
    [0, 0],
    [256 * kib - 1, 256 * kib],
    [300_000, 700 * kib],
    [content.length - 1, content.length - 1],
  ] as const;
  for (const [from, to] of ranges) {
    assert.ok(content.subarray(from, to + 1).equals(await readAll(file.bytes({ start: from, end: to }))));
  }
});

test('an empty file is a file', async () => {
  const written = await files.write(tenant, text('empty.txt'), of(''));
  const file = await files.read(tenant, written.url);
  assert.equal(file.size, 0);
  assert.equal((await readAll(file.bytes())).length, 0);
});

test('a write that breaks in the middle leaves nothing', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield randomBytes(600 * kib);
    throw new Error('the source broke');
  }
  await assert.rejects(files.write(tenant, text('broken.bin'), broken()), /the source broke/);
  assert.equal(await rowsOf('broken.bin'), 0);
});

test('nobody reads a file that is being written', async () => {
  const hasChunk = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<Buffer> {
    yield randomBytes(300 * kib);
    hasChunk.resolve();
    await goOn.promise;
  }
  const writing = files.write(tenant, text('slow.bin'), slow());
  await hasChunk.promise;
  const { rows } = await database.pool.query(`select id from stored_file where name = 'slow.bin'`);
  await assert.rejects(files.read(tenant, rows[0].id), { code: 'file_not_found' });
  goOn.resolve();
  assert.equal((await files.read(tenant, (await writing).id)).size, 300 * kib);
});

test('a second write under one write key takes the place of the first', async () => {
  const file = { ...text('again.txt'), writeKey: 'root:5:' };
  const first = await files.write(tenant, file, of('first'));
  const second = await files.write(tenant, { ...file, sameName: 'refuse' }, of('second'));
  await assert.rejects(files.read(tenant, first.id), { code: 'file_not_found' });
  assert.equal(String(await readAll((await files.read(tenant, second.id)).bytes())), 'second');
});

test('a taken name is refused or replaced as asked, within one account', async () => {
  const mine = { ...text('report.csv'), linkedAccountId: 'mine' };
  await files.write(tenant, mine, of('one'));
  await assert.rejects(files.write(tenant, { ...mine, sameName: 'refuse' }, of('two')), {
    code: 'file_exists',
    status: 409,
  });
  await files.write(tenant, { ...mine, linkedAccountId: 'yours', sameName: 'refuse' }, of('theirs'));
  const last = await files.write(tenant, { ...mine, sameName: 'replace' }, of('three'));
  assert.deepEqual(
    (await files.named(tenant, 'mine', 'report.csv')).map(({ id }) => id),
    [last.id],
  );
});

test('of many writers that refuse a taken name, one wins', async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, (_, n) =>
      files.write(tenant, { ...text('raced.txt'), sameName: 'refuse' }, of(`writer ${n}`)),
    ),
  );
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.equal(await rowsOf('raced.txt'), 1);
});

test('a file is found by its own tenant and account only', async () => {
  const written = await files.write(tenant, { ...text('secret.txt'), linkedAccountId: 'mine' }, of('x'));
  await assert.rejects(files.read(other, written.id), { code: 'file_not_found' });
  await assert.rejects(files.read(other, written.url), { code: 'file_not_found' });
  await assert.rejects(files.read(tenant, written.id, { linkedAccountId: 'yours' }), {
    code: 'file_not_found',
  });
  assert.equal(await files.delete(other, written.id), false);
  assert.equal(await files.delete(tenant, written.id, { linkedAccountId: 'yours' }), false);
  assert.equal(await files.delete(tenant, written.id, { linkedAccountId: 'mine' }), true);
});

test('a link in which anything was changed reads nothing', async () => {
  const { url } = await files.write(tenant, text('signed.txt'), of('x'));
  const token = url.split('/')[4] ?? '';
  const [payload = '', signature = ''] = token.split('.');
  const plain = Buffer.from(payload, 'base64url').toString();
  const changed = (from: string | RegExp, to: string): string =>
    Buffer.from(plain.replace(from, to)).toString('base64url');
  const forged = [
    `${changed(/\d+$/, '0')}.${signature}`,
    `${changed('.t.', '.p.')}.${signature}`,
    `${changed(/^\w/, 'f')}.${signature}`,
    `${payload}.${signature.slice(0, -2)}AA`,
    `${payload}.${signature}=`,
    `${payload}.${signature}.x`,
    payload,
    '',
  ];
  await files.readByToken(token);
  for (const text of forged) await assert.rejects(files.readByToken(text), { code: 'file_not_found' }, text);
});

test('a file and its link end with its time, and a file without one stays', async (t) => {
  t.after(() => (now = start));
  const brief = await files.write(tenant, { ...text('brief.txt'), ttlS: 60 }, of('x'));
  const lasting = await files.write(tenant, { ...text('lasting.txt'), ttlS: null }, of('x'));
  assert.equal(lasting.expiresAt, null);
  now = new Date(start.getTime() + 61_000);
  await assert.rejects(files.read(tenant, brief.url), { code: 'file_link_expired', status: 410 });
  await assert.rejects(files.read(tenant, brief.id), { code: 'file_not_found' });
  now = new Date(start.getTime() + 40 * 86_400_000);
  await files.read(tenant, lasting.url);
});

test('expired and abandoned files are deleted with their content, however many processes do it', async (t) => {
  t.after(() => (now = start));
  await Promise.all(
    Array.from({ length: 12 }, (_, n) => files.write(tenant, { ...text(`old-${n}.txt`), ttlS: 60 }, of('x'))),
  );
  await database.pool.query(
    `insert into stored_file (id, org_id, environment, name, content_type, created_at)
     values ('abandoned', $1, 'test', 'abandoned.bin', 'text/plain', $2)`,
    [tenant.orgId, start],
  );
  const kept = await files.write(tenant, { ...text('kept.txt'), ttlS: null }, of('x'));
  now = new Date(start.getTime() + 86_400_000 + 1000);
  const deps = { pool: database.pool, clock: { now: () => now } };
  const counts = await Promise.all([expireFiles(deps), expireFiles(deps)]);
  assert.ok(counts[0] + counts[1] >= 13);
  assert.equal(await rowsOf('abandoned.bin'), 0);
  const { rows } = await database.pool.query(
    `select count(*)::int as n from stored_file_chunk where file_id not in (select id from stored_file)`,
  );
  assert.equal(rows[0].n, 0);
  assert.equal(await rowsOf('old-3.txt'), 0);
  await files.read(tenant, kept.id);
});

test('a file over the limit or the quota is refused by name, and takes no room', async () => {
  const small = storeWith({ fileLimitBytes: 300 * kib });
  await assert.rejects(
    small.write(tenant, text('huge.bin'), pieces(randomBytes(400 * kib), kib)),
    (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'file_too_large');
      assert.match(error.message, /"huge\.bin" is larger than 307200 bytes/);
      return true;
    },
  );
  assert.equal(await rowsOf('huge.bin'), 0);
  const fresh: Tenant = { orgId: 'b'.repeat(24), environment: 'test' };
  const limited = storeWith({ fileQuotaBytes: 5 * kib });
  await limited.write(fresh, text('first.bin'), pieces(randomBytes(4 * kib), kib));
  assert.deepEqual(await limited.usage(fresh), { files: 1, bytes: 4 * kib });
  await assert.rejects(limited.write(fresh, text('second.bin'), pieces(randomBytes(2 * kib), kib)), {
    code: 'file_quota_exceeded',
  });
  assert.deepEqual(await limited.usage(fresh), { files: 1, bytes: 4 * kib });
});

test('a name keeps no folder, control character or direction mark', async () => {
  const names = {
    '../../etc/passwd': 'passwd',
    'a\\b\\c.txt': 'c.txt',
    'line\r\nbreak.txt': 'linebreak.txt',
    '\u202Egpj.exe': 'gpj.exe',
    '..': 'file',
    '': 'file',
    [`${'x'.repeat(300)}.csv`]: `${'x'.repeat(196)}.csv`,
  };
  for (const [given, wanted] of Object.entries(names)) {
    assert.equal((await files.write(tenant, text(given), of('x'))).name, wanted);
  }
});
