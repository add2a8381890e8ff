import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import ssh2, { type Client as SshClient, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { AppError } from '#domain/errors';
import type { Outbound } from '#outbound/index';

/** A server that takes and gives files by SFTP. */
export interface SftpServer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password?: string | undefined;
  /** A private key in PEM or OpenSSH form, and what opens it. */
  readonly privateKey?: string | undefined;
  readonly passphrase?: string | undefined;
  /** `SHA256:...` as `ssh-keygen -l` shows it: any other key of the server is refused. Absent: every key is taken. */
  readonly hostKey?: string | undefined;
}

export interface RemoteFile {
  readonly name: string;
  readonly type: 'file' | 'folder' | 'other';
  readonly size: number;
  readonly modifiedAt: Date;
}

/** An open connection. Paths are the server's. */
export interface SftpSession {
  list(path: string): Promise<RemoteFile[]>;
  /** Size of a file. @throws AppError `sftp_refused`, `sftp_failed` */
  size(path: string): Promise<number>;
  read(path: string): AsyncIterable<Buffer>;
  /** Writes beside the path and renames when complete: nobody there sees half a file. @returns bytes written */
  write(path: string, content: AsyncIterable<Buffer>): Promise<number>;
  remove(path: string): Promise<void>;
  makeFolders(path: string): Promise<void>;
}

/** Runs `work` on a connection that is closed afterwards, whatever happens. */
export type UseSftp = <T>(
  server: SftpServer,
  signal: AbortSignal,
  work: (session: SftpSession) => Promise<T>,
) => Promise<T>;

const readyTimeoutMs = 20_000;
const mostListed = 10_000;

/**
 * SFTP through the egress guard: the socket goes to an address that was checked.
 *
 * @returns a function that throws AppError `sftp_refused`, `sftp_failed`, `egress_forbidden`, `provider_unreachable`
 */
export function createSftp(outbound: Pick<Outbound, 'connect'>): UseSftp {
  return async (server, signal, work) => {
    const sock = await outbound.connect({ host: server.host, port: server.port, signal });
    const client = new ssh2.Client();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const name = `${server.host}:${server.port}`;
    const onAbort = (): void => {
      failed.reject(signal.reason);
      client.destroy();
    };
    client.on('error', (error) => failed.reject(sftpError(name, error)));
    client.on('close', () => failed.reject(sftpError(name, new Error('the connection was closed'))));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const opened = open(client, { ...loginOf(server, name), sock });
      const sftp = await Promise.race([opened, failed.promise]);
      return await Promise.race([work(sessionOn(sftp, name)), failed.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      client.on('error', () => undefined);
      client.end();
      sock.destroy();
    }
  };
}

function open(client: SshClient, config: ConnectConfig): Promise<SFTPWrapper> {
  const ready = Promise.withResolvers<SFTPWrapper>();
  client.on('ready', () => {
    client.sftp((error, sftp) => (error === undefined ? ready.resolve(sftp) : ready.reject(error)));
  });
  client.connect(config);
  return ready.promise;
}

function loginOf(server: SftpServer, name: string): ConnectConfig {
  const { username, password, privateKey, passphrase, hostKey } = server;
  if (privateKey !== undefined) {
    const parsed = ssh2.utils.parseKey(privateKey, passphrase);
    // The library's text may quote the key; ours does not.
    if (parsed instanceof Error) {
      const reason =
        passphrase === undefined
          ? 'cannot be read, or needs a passphrase'
          : 'does not open with this passphrase';
      throw new AppError('sftp_refused', { server: name, reason: `the private key ${reason}` });
    }
  }
  return {
    username,
    ...(password !== undefined && { password }),
    ...(privateKey !== undefined && { privateKey }),
    ...(passphrase !== undefined && { passphrase }),
    ...(hostKey !== undefined && { hostVerifier: (key: Buffer): boolean => isHostKey(key, hostKey) }),
    readyTimeout: readyTimeoutMs,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 4,
  };
}

function isHostKey(key: Buffer, wanted: string): boolean {
  const digest = createHash('sha256').update(key).digest();
  const given = Buffer.from(wanted.trim().replace(/^SHA256:/i, ''), 'base64');
  return given.length === digest.length && timingSafeEqual(given, digest);
}

function sessionOn(sftp: SFTPWrapper, name: string): SftpSession {
  /** One call of the library as a promise, its error named after the path. */
  function ask<T>(
    path: string,
    call: (done: (error: Error | null | undefined, value?: T) => void) => void,
  ): Promise<T> {
    const answer = Promise.withResolvers<T>();
    call((error, value) =>
      error == null ? answer.resolve(value as T) : answer.reject(sftpError(name, error, path)),
    );
    return answer.promise;
  }

  async function* read(path: string): AsyncGenerator<Buffer> {
    // 8 requests of 32 KiB under way: fast over a long line, and 256 KiB of memory.
    const stream = sftp.createReadStream(path, { highWaterMark: 256 * 1024 });
    stream.on('error', () => undefined); // the loop has it; what comes after the loop is of no interest
    try {
      for await (const chunk of stream) yield chunk as Buffer;
    } catch (error) {
      throw sftpError(name, error, path);
    } finally {
      stream.destroy();
    }
  }

  async function write(path: string, content: AsyncIterable<Buffer>): Promise<number> {
    let size = 0;
    async function* counted(): AsyncGenerator<Buffer> {
      for await (const chunk of content) {
        size += chunk.length;
        yield chunk;
      }
    }
    const part = `${path}.part`;
    const target = sftp.createWriteStream(part);
    try {
      await pipeline(Readable.from(counted(), { objectMode: false }), target);
      await replace(part, path);
    } catch (error) {
      await attempt(part, (done) => sftp.unlink(part, done));
      throw error instanceof AppError ? error : sftpError(name, error, path);
    }
    return size;
  }

  /** Whether a call went well; what the server does not know at all the library throws at once. */
  async function attempt(
    path: string,
    call: (done: (error: Error | null | undefined) => void) => void,
  ): Promise<boolean> {
    try {
      await ask(path, call);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * OpenSSH renames over an existing file by its own extension. With others the old file steps aside, and comes
   * back when the new one cannot take its place: one of the two is there at every moment.
   */
  async function replace(part: string, path: string): Promise<void> {
    if (await attempt(path, (done) => sftp.ext_openssh_rename(part, path, done))) return;
    const old = `${path}.${randomBytes(4).toString('hex')}.old`;
    const isAside = await attempt(path, (done) => sftp.rename(path, old, done));
    try {
      await ask(path, (done) => sftp.rename(part, path, done));
    } catch (error) {
      if (isAside && !(await attempt(path, (done) => sftp.rename(old, path, done)))) {
        const reason = `the file could not be replaced, and what was there before is "${old.slice(0, 200)}" now`;
        throw new AppError('sftp_failed', { server: name, reason }, { cause: error });
      }
      throw error;
    }
    if (isAside) await attempt(old, (done) => sftp.unlink(old, done));
  }

  return {
    read,
    write,
    async list(path) {
      const found = await ask<{ filename: string; attrs: ssh2.Stats }[]>(path, (done) =>
        sftp.readdir(path, done),
      );
      return found.slice(0, mostListed).map(({ filename, attrs }) => ({
        name: filename,
        type: attrs.isDirectory() ? 'folder' : attrs.isFile() ? 'file' : 'other',
        size: attrs.size,
        modifiedAt: new Date(attrs.mtime * 1000),
      }));
    },
    size: async (path) => (await ask<ssh2.Stats>(path, (done) => sftp.stat(path, done))).size,
    remove: (path) => ask(path, (done) => sftp.unlink(path, done)),
    async makeFolders(path) {
      const parts = path.split('/').filter((part) => part !== '');
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const folder = `${path.startsWith('/') ? '/' : ''}${parts.slice(0, depth).join('/')}`;
        const isThere = await ask(folder, (done) => sftp.stat(folder, done)).then(
          () => true,
          () => false,
        );
        if (!isThere) await ask(folder, (done) => sftp.mkdir(folder, done));
      }
    },
  };
}

const statusReasons: Readonly<Record<number, string>> = {
  2: 'there is no such file or folder',
  3: 'permission is denied',
};

function sftpError(server: string, error: unknown, path?: string): unknown {
  if (error instanceof AppError) return error;
  const { code, level } = (error ?? {}) as { code?: unknown; level?: unknown };
  const refused = (reason: string): AppError =>
    new AppError('sftp_refused', { server, reason }, { cause: error });
  if (level === 'client-authentication') return refused('it did not take the user, password or key');
  const text = error instanceof Error ? error.message.slice(0, 200) : 'unknown error';
  if (/host.*(verif|denied)/i.test(text)) return refused('its host key is not the one that is expected');
  const at = path === undefined ? '' : ` ("${path.slice(0, 200)}")`;
  const known = typeof code === 'number' ? statusReasons[code] : undefined;
  if (known !== undefined) return refused(`${known}${at}`);
  return new AppError('sftp_failed', { server, reason: `${text}${at}` }, { cause: error });
}
