import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { fileHandler } from '#engine/nodes/file-handler';
import { createNodeBench, type NodeBench } from '#engine/nodes/testing';
import { readAll } from '#files/index';
import { startTestSftpServer, type TestSftpServer } from '#files/testing';
import { zipOf } from '#formats/testing';

let bench: NodeBench;
let remote: TestSftpServer;
before(async () => {
  bench = await createNodeBench();
  remote = await startTestSftpServer();
});
after(async () => {
  await remote.close();
  await bench.close();
});

type Body = Record<string, unknown>;
const sftp = (more: object = {}): object => ({
  host: '127.0.0.1',
  port: remote.port,
  username: 'ann',
  password: 'right',
  ...more,
});
const handle = (settings: object): Promise<Body> => bench.body(fileHandler, settings);
const refuse = (settings: object): Promise<string> => bench.failure(fileHandler, settings);
const onServer = (name: string): string => path.join(remote.folder, name);

async function tarOf(
  entries: readonly (Partial<tar.Header> & { name: string; content?: Buffer })[],
): Promise<Buffer> {
  const pack = tar.pack();
  for (const { content, ...header } of entries) pack.entry(header, content ?? Buffer.alloc(0));
  pack.finalize();
  return readAll(pack as AsyncIterable<Buffer>);
}

test('a file goes from the store to a server and back, byte for byte', async () => {
  const content = randomBytes(900_000);
  const url = await bench.store('data.bin', content);
  const sent = await handle({
    operation: 'transfer_to_sftp',
    file_url: url,
    sftp: sftp(),
    path: '/inbox.bin',
  });
  assert.deepEqual(sent, {
    transferred: true,
    path: '/inbox.bin',
    file_name: 'inbox.bin',
    file_size: 900_000,
  });
  assert.ok(content.equals(await readFile(onServer('inbox.bin'))));
  assert.deepEqual(
    (await readdir(remote.folder)).filter((name) => name.endsWith('.part')),
    [],
  );
  const back = await handle({ operation: 'store', sftp: sftp(), path: '/inbox.bin', infinite_expiry: true });
  assert.deepEqual([back['file_name'], back['file_size'], back['expires_at']], ['inbox.bin', 900_000, null]);
  assert.ok(content.equals(await bench.content(String(back['file_url']))));
});

test('a file goes from one server to another, and an existing one is replaced', async () => {
  await writeFile(onServer('from.txt'), 'new');
  await writeFile(onServer('to.txt'), 'old and longer');
  await handle({
    operation: 'transfer_to_sftp',
    source_sftp: sftp(),
    source_path: '/from.txt',
    sftp: sftp(),
    path: '/to.txt',
  });
  assert.equal(await readFile(onServer('to.txt'), 'utf8'), 'new');
});

test('a file that cannot be replaced is still there, whatever the server refuses', async () => {
  await mkdir(onServer('kept'));
  await writeFile(onServer('kept/to.txt'), 'old');
  await writeFile(onServer('from.txt'), 'new');
  const settings = {
    operation: 'transfer_to_sftp',
    source_sftp: sftp(),
    source_path: '/from.txt',
    sftp: sftp(),
    path: '/kept/to.txt',
  };
  try {
    remote.refusesRename = (from) => from.endsWith('.part');
    await refuse(settings);
    assert.deepEqual(await readdir(onServer('kept')), ['to.txt']);
    assert.equal(await readFile(onServer('kept/to.txt'), 'utf8'), 'old');

    remote.refusesRename = (_from, to) => to.endsWith('/to.txt');
    const [, aside] = /what was there before is "([^"]+)"/.exec(await refuse(settings)) ?? [];
    assert.equal(await readFile(onServer(aside ?? ''), 'utf8'), 'old');
  } finally {
    remote.refusesRename = () => false;
  }
});

test('a server is known by its host key, and a client by its key', async () => {
  const read = (server: object): object => ({ operation: 'list', path: '/', sftp: server });
  const { clientKey, fingerprint } = remote;
  await handle(read(sftp({ host_key: fingerprint })));
  await handle(read(sftp({ password: undefined, private_key: clientKey })));
  await handle(read(sftp({ password: undefined, private_key: clientKey.replaceAll('\n', '\\n') })));
  const other = `SHA256:${'A'.repeat(43)}`;
  assert.match(await refuse(read(sftp({ host_key: other }))), /host key is not the one/);
  assert.match(await refuse(read(sftp({ password: 'wrong' }))), /did not take the user, password or key/);
  const broken = await refuse(read(sftp({ password: undefined, private_key: 'SECRET-KEY-TEXT' })));
  assert.match(broken, /private key cannot be read/);
  assert.doesNotMatch(broken, /SECRET/);
});

test('files are listed, read and deleted', async () => {
  await mkdir(onServer('box/sub'), { recursive: true });
  await writeFile(onServer('box/a.txt'), 'hello');
  const { files } = await handle({ operation: 'list', sftp: sftp(), path: '/box' });
  assert.deepEqual(
    (files as Body[]).map(({ name, path, type, size }) => ({
      name,
      path,
      type,
      size: type === 'file' ? size : 0,
    })),
    [
      { name: 'a.txt', path: '/box/a.txt', type: 'file', size: 5 },
      { name: 'sub', path: '/box/sub', type: 'folder', size: 0 },
    ],
  );
  const read = await handle({ operation: 'read', sftp: sftp(), path: '/box/a.txt' });
  assert.equal(read['content'], Buffer.from('hello').toString('base64'));
  assert.deepEqual(await handle({ operation: 'delete', sftp: sftp(), path: '/box/a.txt' }), {
    deleted: true,
    path: '/box/a.txt',
  });
  assert.match(
    await refuse({ operation: 'read', sftp: sftp(), path: '/box/a.txt' }),
    /no such file.*\/box\/a\.txt/,
  );
});

test('a stored file is deleted by its link, its id or its name', async () => {
  for (const by of ['file_url', 'file_id', 'file_name']) {
    const made = await handle({
      operation: 'store',
      file_url: await bench.store('gone.txt', 'x'),
      name: 'copy.txt',
    });
    const deleted = await handle({ operation: 'delete', file_url: made[by] });
    assert.deepEqual(deleted, { deleted: true, file_count: 1 }, by);
    await assert.rejects(bench.content(String(made['file_id'])), { code: 'file_not_found' });
  }
  assert.deepEqual(await handle({ operation: 'delete', file_url: 'nothing.txt' }), {
    deleted: false,
    file_count: 0,
  });
});

test('archives are unpacked on the way, on the server, or into the store', async () => {
  const files = [
    { name: 'a.txt', content: Buffer.from('A') },
    { name: 'deep/er/b.bin', content: randomBytes(400_000) },
  ];
  const all = await tarOf([{ name: 'deep', type: 'directory' }, ...files]);
  const zip = await bench.store('all.zip', zipOf(files));
  const settings = { operation: 'transfer_to_sftp', sftp: sftp(), path: '/out', extract: true };
  assert.equal((await handle({ ...settings, file_url: zip }))['file_count'], 2);
  assert.ok(files[1]?.content.equals(await readFile(onServer('/out/deep/er/b.bin'))));
  await mkdir(onServer('/srv'));
  await writeFile(onServer('/srv/all.tar.gz'), gzipSync(all));
  await handle({ operation: 'extract', sftp: sftp(), path: '/srv/all.tar.gz' });
  assert.equal(await readFile(onServer('/srv/a.txt'), 'utf8'), 'A');
  const stored = await handle({
    operation: 'store',
    file_url: await bench.store('x.zip', zipOf(files)),
    extract: true,
  });
  assert.deepEqual(
    (stored['files'] as Body[]).map(({ file_name }) => file_name),
    ['a.txt', 'b.bin'],
  );
  const one = await handle({
    operation: 'store',
    file_url: await bench.store('n.csv.gz', gzipSync('a,b')),
    extract: true,
  });
  const [single] = one['files'] as Body[];
  assert.equal(single?.['file_name'], 'n.csv');
  assert.equal(String(await bench.content(String(single['file_id']))), 'a,b');
});

test('an archive that leads out of its folder, holds links or is broken is refused, and nothing of it stays', async () => {
  const x = Buffer.from('x');
  const bad: [string, Buffer, RegExp][] = [
    ['slip.zip', zipOf([{ name: '../../etc/cron.d/x', content: x }]), /invalid relative path|leads out/],
    ['abs.zip', zipOf([{ name: '/etc/x', content: x }]), /absolute path|leads out/],
    [
      'link.zip',
      zipOf([{ name: 'l', content: Buffer.from('/etc/passwd'), mode: 0o120777 }]),
      /"l" is a link/,
    ],
    ['slip.tar', await tarOf([{ name: '../x', content: x }]), /"\.\.\/x", which leads out/],
    ['win.tar', await tarOf([{ name: 'C:\\x', content: x }]), /leads out/],
    ['link.tar', await tarOf([{ name: 'l', type: 'symlink', linkname: '/etc/passwd' }]), /"l" is a symlink/],
    ['broken.zip', Buffer.from('PK nonsense'), /"broken\.zip" cannot be read or written as zip/],
    [
      'cut.tgz',
      gzipSync(await tarOf([{ name: 'a', content: randomBytes(9_000) }])).subarray(0, 500),
      /cut\.tgz/,
    ],
  ];
  for (const [name, content, text] of bad) {
    const file_url = await bench.store(name, content);
    assert.match(await refuse({ operation: 'store', file_url, extract: true }), text, name);
  }
  const { rows } = await bench.database.pool.query(
    `select name from stored_file where write_key like '%:archive'`,
  );
  assert.deepEqual(rows, [], 'nothing of an archive stays behind');
});

test('a transfer that breaks in the middle leaves no half file on the server', async () => {
  const broken = gzipSync(randomBytes(900_000)).subarray(0, 500_000);
  const file_url = await bench.store('half.bin.gz', broken);
  const settings = { operation: 'transfer_to_sftp', file_url, sftp: sftp(), path: '/half', extract: true };
  assert.match(await refuse(settings), /"half\.bin\.gz" cannot be read or written as gz/);
  assert.deepEqual(await readdir(onServer('half')), []);
});

test('a server inside the network is refused', async () => {
  const closed = await createNodeBench([]);
  try {
    for (const host of ['127.0.0.1', '169.254.169.254', '::ffff:10.0.0.1']) {
      const settings = { operation: 'list', sftp: sftp({ host }), path: '/' };
      assert.match(await closed.failure(fileHandler, settings), /are refused: .*INLAY_EGRESS_ALLOW/, host);
    }
  } finally {
    await closed.close();
  }
});

test('stopping an execution ends a transfer at once', async () => {
  const stop = new AbortController();
  const settings = fileHandler.settings.parse({ operation: 'list', sftp: sftp(), path: '/' });
  stop.abort(new Error('stopped'));
  await assert.rejects(
    async () => fileHandler.run(settings, { ...bench.context, signal: stop.signal }),
    /stopped/,
  );
});

test('the log shows neither password nor key', () => {
  const given = fileHandler.settings.parse({
    operation: 'list',
    path: '/',
    sftp: sftp({ password: 'hunter2', private_key: 'KEYKEYKEY', passphrase: 'sesame' }),
  });
  assert.doesNotMatch(JSON.stringify(fileHandler.logged?.(given)), /hunter2|KEYKEY|sesame/);
});

test('wrong settings are refused by the name of the field', async () => {
  const wrong: [object, RegExp][] = [
    [{ operation: 'copy' }, /^operation: use one of transfer_to_sftp/],
    [{ operation: 'list' }, /^sftp: is the server.*path: /],
    [{ operation: 'list', sftp: sftp({ username: '' }), path: '/' }, /^sftp\.username: is missing/],
    [{ operation: 'list', sftp: sftp({ password: '' }), path: '/' }, /^sftp\.password: give a password/],
    [
      { operation: 'list', sftp: sftp({ host_key: 'AA:BB' }), path: '/' },
      /^sftp\.host_key: is not a fingerprint/,
    ],
    [{ operation: 'list', sftp: sftp({ port: 0 }), path: '/' }, /^sftp\.port/],
    [{ operation: 'list', sftp: sftp(), path: '/a\nb' }, /^path: is not a path/],
    [{ operation: 'store' }, /^file_url: name a file/],
    [{ operation: 'extract', sftp: sftp(), path: '/a.rar' }, /^path: is not a \.zip/],
    [{ operation: 'transfer_to_sftp', sftp: sftp(), path: '/x' }, /^file_url: name a file, or a source_sftp/],
  ];
  for (const [settings, text] of wrong) assert.match(await refuse(settings), text);
});
