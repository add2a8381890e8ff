import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ssh2, { type SFTPWrapper } from 'ssh2';

/** An SFTP server on this machine over a temporary folder, for tests: user `ann`, password `right`, or the key. */
export interface TestSftpServer {
  readonly port: number;
  readonly folder: string;
  /** SHA256 fingerprint of the host key. */
  readonly fingerprint: string;
  readonly clientKey: string;
  /** Renames that the server refuses. */
  refusesRename: (from: string, to: string) => boolean;
  close(): Promise<void>;
}

const { STATUS_CODE, OPEN_MODE } = ssh2.utils.sftp;

export async function startTestSftpServer(): Promise<TestSftpServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-sftp-'));
  const host = newKey();
  const client = newKey();
  const clientPublic = ssh2.utils.parseKey(client) as ssh2.ParsedKey;
  const server = new ssh2.Server({ hostKeys: [host] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (auth) => {
      const isPassword = auth.method === 'password' && auth.password === 'right';
      const isKey = auth.method === 'publickey' && auth.key.data.equals(clientPublic.getPublicSSH());
      if (auth.username === 'ann' && (isPassword || isKey)) auth.accept();
      else auth.reject(['password', 'publickey']);
    });
    connection.on('ready', () => {
      connection.on('session', (accept) =>
        accept().on('sftp', (acceptSftp) =>
          serve(acceptSftp(), folder, (from, to) => test.refusesRename(from, to)),
        ),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const key = (ssh2.utils.parseKey(host) as ssh2.ParsedKey).getPublicSSH();
  const test: TestSftpServer = {
    port: (server.address() as AddressInfo).port,
    folder,
    fingerprint: `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=$/, '')}`,
    clientKey: client,
    refusesRename: () => false,
    async close() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  return test;
}

function newKey(): string {
  return ssh2.utils.generateKeyPairSync('ed25519').private;
}

/** The part of SFTP version 3 that clients use, on real files. */
function serve(sftp: SFTPWrapper, folder: string, refusesRename: TestSftpServer['refusesRename']): void {
  const files = new Map<number, FileHandle>();
  const listings = new Map<number, string[] | undefined>();
  const within = (name: string): string => path.join(folder, path.posix.normalize(`/${name}`));
  let last = 0;
  const handle = (): { id: number; bytes: Buffer } => {
    last += 1;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(last);
    return { id: last, bytes };
  };
  const idOf = (bytes: Buffer): number => bytes.readUInt32BE(0);
  /** Answers with a status unless `work` answered itself. */
  const answer = (request: number, work: () => Promise<boolean | void>): void => {
    work().then(
      (hasAnswered) => hasAnswered === true || sftp.status(request, STATUS_CODE.OK),
      (error: NodeJS.ErrnoException) =>
        sftp.status(request, error.code === 'ENOENT' ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE),
    );
  };
  const attributes = async (name: string): Promise<ssh2.Attributes> => {
    const { mode, size, mtimeMs, uid, gid } = await stat(name);
    return { mode, size, uid, gid, atime: 0, mtime: Math.floor(mtimeMs / 1000) };
  };
  sftp.on('OPEN', (request, name, flags) =>
    answer(request, async () => {
      const { id, bytes } = handle();
      files.set(id, await open(within(name), (flags & OPEN_MODE.WRITE) === 0 ? 'r' : 'w'));
      sftp.handle(request, bytes);
      return true;
    }),
  );
  sftp.on('READ', (request, bytes, offset, length) =>
    answer(request, async () => {
      const { buffer, bytesRead } = await files
        .get(idOf(bytes))!
        .read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead === 0) sftp.status(request, STATUS_CODE.EOF);
      else sftp.data(request, buffer.subarray(0, bytesRead));
      return true;
    }),
  );
  sftp.on('WRITE', (request, bytes, offset, data) =>
    answer(request, async () => void (await files.get(idOf(bytes))!.write(data, 0, data.length, offset))),
  );
  sftp.on('CLOSE', (request, bytes) =>
    answer(request, async () => {
      await files.get(idOf(bytes))?.close();
      files.delete(idOf(bytes));
    }),
  );
  sftp.on('OPENDIR', (request, name) =>
    answer(request, async () => {
      const { id, bytes } = handle();
      listings.set(
        id,
        (await readdir(within(name))).map((entry) => path.posix.join(name, entry)),
      );
      sftp.handle(request, bytes);
      return true;
    }),
  );
  sftp.on('READDIR', (request, bytes) =>
    answer(request, async () => {
      const names = listings.get(idOf(bytes));
      listings.set(idOf(bytes), undefined);
      if (names === undefined) {
        sftp.status(request, STATUS_CODE.EOF);
        return true;
      }
      const entries = await Promise.all(
        names.map(async (name) => ({
          filename: path.posix.basename(name),
          longname: name,
          attrs: await attributes(within(name)),
        })),
      );
      sftp.name(request, entries);
      return true;
    }),
  );
  for (const event of ['STAT', 'LSTAT'] as const) {
    sftp.on(event, (request: number, name: string) =>
      answer(request, async () => {
        sftp.attrs(request, await attributes(within(name)));
        return true;
      }),
    );
  }
  sftp.on('REMOVE', (request, name) => answer(request, () => unlink(within(name))));
  sftp.on('MKDIR', (request, name) => answer(request, () => mkdir(within(name))));
  sftp.on('RENAME', (request, from, to) =>
    answer(request, async () => {
      if (refusesRename(from, to)) throw new Error('refused');
      await rename(within(from), within(to));
    }),
  );
}
