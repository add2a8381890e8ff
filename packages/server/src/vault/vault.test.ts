import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AppError } from '#domain/errors';
import { addRingKey, createVault, dropOldRingKeys, openVault, ringFromFile, sealContext } from '#vault/index';
import { ringFromText } from '#vault/key-ring';

const context = sealContext('connection.credential_sealed', 'a1');
const vault = createVault(ringFromText(randomBytes(32).toString('base64')));

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'inlay-vault-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

function refuses(code: AppError['code'], text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

test('a sealed value opens in its own context and holds nothing of the text', () => {
  const sealed = vault.seal('s3cret-token', context);
  assert.equal(vault.open(sealed, context).toString(), 's3cret-token');
  assert.equal(sealed.includes('s3cret'), false);
  assert.notDeepEqual(vault.seal('s3cret-token', context), sealed);
  assert.deepEqual(vault.openJson(vault.sealJson({ a: ['ü', 1] }, context), context), { a: ['ü', 1] });
  assert.equal(vault.open(vault.seal('', context), context).length, 0);
});

test('a value moved to another row or column does not open', () => {
  const sealed = vault.seal('token of a1', context);
  for (const other of [
    sealContext('connection.credential_sealed', 'b2'),
    sealContext('api_key.key_sealed', 'a1'),
  ]) {
    assert.throws(
      () => vault.open(sealed, other),
      refuses('sealed_value_unreadable', /moved from another row/),
    );
  }
});

test('a change of any single byte is noticed, and a value cut short', () => {
  const sealed = vault.seal('token', context);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => vault.open(changed, context), AppError, `byte ${at}`);
  }
  for (const length of [0, 1, 9, sealed.length - 1]) {
    assert.throws(() => vault.open(sealed.subarray(0, length), context), AppError, `length ${length}`);
  }
});

test('a value of an unknown key names that key', () => {
  const foreign = createVault(ringFromText(randomBytes(32).toString('hex')));
  assert.throws(
    () => vault.open(foreign.seal('x', context), context),
    refuses('sealed_value_unreadable', new RegExp(foreign.currentKeyId)),
  );
});

test('data keys are independent: no part of two sealed values of one text is equal beyond the header', () => {
  const [a, b] = [vault.seal('same', context), vault.seal('same', context)];
  assert.deepEqual(a.subarray(0, 9), b.subarray(0, 9));
  for (let at = 9; at + 8 <= a.length; at += 8) {
    assert.notDeepEqual(a.subarray(at, at + 8), b.subarray(at, at + 8));
  }
});

test('derived keys differ by purpose and stay the same when the ring is rotated', async (t) => {
  const path = join(await folder(t), 'keys.json');
  const before = createVault(await ringFromFile(path));
  const after = createVault(await addRingKey(path));
  assert.deepEqual(after.deriveKey('session'), before.deriveKey('session'));
  assert.notDeepEqual(before.deriveKey('session'), before.deriveKey('cookie'));
  assert.equal(before.deriveKey('session').length, 32);
});

test('first use creates a file that only its owner reads; later uses read it', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'deep', 'keys.json');
  const sealed = (await openVault({ keyFile: path })).seal('x', context);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await openVault({ keyFile: path })).open(sealed, context).toString(), 'x');
  assert.deepEqual(await readdir(join(dir, 'deep')), ['keys.json']);
});

test('processes that start together agree on one key ring', async (t) => {
  const path = join(await folder(t), 'keys.json');
  const ids = await Promise.all(
    Array.from({ length: 12 }, async () => (await ringFromFile(path)).keys[0].id),
  );
  assert.equal(new Set(ids).size, 1);
});

test('a file that others may read is refused with the command that mends it', async (t) => {
  const path = join(await folder(t), 'keys.json');
  await ringFromFile(path);
  await chmod(path, 0o640);
  await assert.rejects(openVault({ keyFile: path }), refuses('key_ring_unusable', /mode 640.*chmod 600/));
});

test('garbage in the file is refused and left as it is', async (t) => {
  const path = join(await folder(t), 'keys.json');
  for (const garbage of ['', 'not json', '{}', '{"version":1,"derivation":"aa","keys":[]}', '[]']) {
    await writeFile(path, garbage, { mode: 0o600 });
    await assert.rejects(
      openVault({ keyFile: path }),
      refuses('key_ring_unusable', /restore it from your backup/),
    );
    assert.equal(await readFile(path, 'utf8'), garbage);
  }
});

test('a master key must be 32 random bytes', async () => {
  for (const [text, reason] of [
    ['short', /not 32/],
    ['0'.repeat(64), /not random/],
    [`${randomBytes(32).toString('base64')},oops`, /not 32/],
  ] as const) {
    await assert.rejects(openVault({ masterKey: text }), refuses('key_ring_unusable', reason));
  }
});

test('after a key is added old values open and new ones use the new key; dropped keys open nothing', async (t) => {
  const path = join(await folder(t), 'keys.json');
  const old = createVault(await ringFromFile(path)).seal('x', context);
  const both = createVault(await addRingKey(path));
  assert.equal(both.open(old, context).toString(), 'x');
  assert.equal(both.isCurrent(old), false);
  const resealed = both.seal('x', context);
  assert.equal(both.isCurrent(resealed), true);
  assert.equal(await dropOldRingKeys(path), 1);
  const after = createVault(await ringFromFile(path));
  assert.equal(after.open(resealed, context).toString(), 'x');
  assert.throws(() => after.open(old, context), refuses('sealed_value_unreadable', /has no key/));
  assert.equal(await dropOldRingKeys(path), 0);
});

test('a context names every part of the row key and cannot be forged by a separator', () => {
  assert.throws(() => sealContext('app_setting.client_secret_sealed', 'org'), TypeError);
  assert.notEqual(
    sealContext('app_setting.client_secret_sealed', 'a:b', 'test', 'x'),
    sealContext('app_setting.client_secret_sealed', 'a', 'b:test', 'x'),
  );
});
