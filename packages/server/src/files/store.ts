import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import {
  completeFile,
  deleteFile,
  filesNamed,
  fileUsage,
  findFile,
  insertChunk,
  insertFile,
  lockFileName,
  readChunk,
  type StoredFile,
} from '#db/stored-file';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { isId, newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { createFileLinks } from '#files/link';

/** Bytes in every chunk but the last: a file of 200 MB is 800 rows, and a reader holds one of them. */
export const chunkBytes = 256 * 1024;

/** A file that stays a week unless its writer says otherwise. */
export const defaultTtlS = 7 * 86_400;

export interface FileToWrite {
  readonly name: string;
  readonly contentType: string;
  /** Seconds to live; null: for ever; absent: a week. */
  readonly ttlS?: number | null;
  /** Whose workflow makes it; names are unique, and ids readable, within one account. */
  readonly linkedAccountId?: string | undefined;
  /** Stays the same over attempts: a second write under it takes the place of the first. */
  readonly writeKey?: string | undefined;
  /**
   * What becomes of finished files of this name: `keep` leaves them (the default), `replace` deletes them once this
   * one is finished, `refuse` throws.
   */
  readonly sameName?: 'keep' | 'replace' | 'refuse';
}

/** A finished file, with the link that reads it. */
export interface WrittenFile {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
  readonly sha256: string;
  readonly url: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

/** A file to read: what is known of it, and its bytes. */
export interface ReadableFile extends WrittenFile {
  /**
   * The bytes from `start` to `end` (both inclusive), all by default, a chunk at a time.
   *
   * @throws AppError `file_not_found` when the file is deleted while it is read
   */
  bytes(range?: { readonly start: number; readonly end: number }): AsyncIterable<Buffer>;
}

export interface FileStore {
  /**
   * Stores what `content` gives, with one chunk in memory. A write that fails, or whose process dies, leaves
   * nothing that can be read.
   *
   * @throws AppError `file_too_large`, `file_quota_exceeded`, `file_exists`
   */
  write(tenant: Tenant, file: FileToWrite, content: AsyncIterable<Buffer>): Promise<WrittenFile>;
  /**
   * Opens a file by its id, or by a link of ours (of this tenant, not expired).
   *
   * @param within - an id is found only among the files of this account
   * @throws AppError `file_not_found`, `file_link_expired`
   */
  read(tenant: Tenant, idOrUrl: string, within?: { linkedAccountId: string }): Promise<ReadableFile>;
  /** Opens the file of a link's token. @throws AppError `file_not_found`, `file_link_expired` */
  readByToken(token: string): Promise<ReadableFile>;
  /** Whether an address is one of our links, right or wrong. */
  isOurLink(address: string): boolean;
  /** Finished files of a name in one account, the newest first. */
  named(tenant: Tenant, linkedAccountId: string, name: string): Promise<readonly WrittenFile[]>;
  /** @returns false when there is no such file in the account */
  delete(tenant: Tenant, id: string, within?: { linkedAccountId: string }): Promise<boolean>;
  usage(tenant: Tenant): Promise<{ files: number; bytes: number }>;
}

export interface FileStoreDeps {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: { deriveKey(purpose: string): Buffer };
  readonly config: {
    readonly publicUrl: string;
    /** The largest file, in bytes. */
    readonly fileLimitBytes: number;
    /** What one environment of an organisation may keep, in bytes; 0 is no limit. */
    readonly fileQuotaBytes: number;
  };
}

/** Opens the file store: rows and chunks in PostgreSQL, so that every process reads what any process wrote. */
export function createFileStore({ pool, clock, vault, config }: FileStoreDeps): FileStore {
  const links = createFileLinks(vault.deriveKey('file-link'), config.publicUrl);

  async function write(
    tenant: Tenant,
    file: FileToWrite,
    content: AsyncIterable<Buffer>,
  ): Promise<WrittenFile> {
    const createdAt = clock.now();
    const linkedAccountId = file.linkedAccountId ?? null;
    const writeKey = file.writeKey ?? null;
    const name = safeName(file.name);
    const ttlS = file.ttlS === undefined ? defaultTtlS : file.ttlS;
    const row = {
      id: newId(createdAt.getTime()),
      linkedAccountId,
      name,
      contentType: file.contentType,
      writeKey,
      expiresAt: ttlS === null ? null : new Date(createdAt.getTime() + ttlS * 1000),
      createdAt,
    };
    const named = { linkedAccountId, name, now: createdAt, exceptWriteKey: writeKey };
    if (file.sameName === 'refuse') refuseTaken(await filesNamed(pool, tenant, named), name);
    const room = await roomFor(tenant, name);
    await insertFile(pool, tenant, row);
    try {
      const { size, sha256 } = await writeChunks(tenant, row.id, name, content, room);
      await clientTransaction(pool, async (client) => {
        if (file.sameName === 'refuse' || file.sameName === 'replace') {
          await lockFileName(client, tenant, linkedAccountId, name);
          const others = await filesNamed(client, tenant, named);
          if (file.sameName === 'refuse') refuseTaken(others, name);
          for (const other of others) await deleteFile(client, tenant, other.id);
        }
        const done = { id: row.id, size, sha256, writeKey, completedAt: clock.now() };
        if (!(await completeFile(client, tenant, done))) throw new AppError('file_not_found', { id: row.id });
      });
      return written(tenant, { ...row, size, sha256 });
    } catch (error) {
      await deleteFile(pool, tenant, row.id).catch(() => undefined); // else the expiry job finds it
      throw error;
    }
  }

  /** Bytes that a new file may have. */
  async function roomFor(tenant: Tenant, name: string): Promise<number> {
    if (config.fileQuotaBytes === 0) return config.fileLimitBytes;
    const left = config.fileQuotaBytes - (await fileUsage(pool, tenant)).bytes;
    if (left <= 0) throw new AppError('file_quota_exceeded', { name, quotaBytes: config.fileQuotaBytes });
    return Math.min(config.fileLimitBytes, left);
  }

  async function writeChunks(
    tenant: Tenant,
    fileId: string,
    name: string,
    content: AsyncIterable<Buffer>,
    room: number,
  ): Promise<{ size: number; sha256: Buffer }> {
    const hash = createHash('sha256');
    let size = 0;
    let seq = 0;
    for await (const bytes of rechunked(content)) {
      size += bytes.length;
      if (size > config.fileLimitBytes) {
        throw new AppError('file_too_large', { name, limitBytes: config.fileLimitBytes });
      }
      if (size > room) throw new AppError('file_quota_exceeded', { name, quotaBytes: config.fileQuotaBytes });
      hash.update(bytes);
      await insertChunk(pool, tenant, { fileId, seq, bytes });
      seq += 1;
    }
    return { size, sha256: hash.digest() };
  }

  async function read(
    tenant: Tenant,
    idOrUrl: string,
    within?: { linkedAccountId: string },
  ): Promise<ReadableFile> {
    const token = links.tokenOf(idOrUrl);
    if (token !== undefined) return openLink(token, tenant);
    const found = isId(idOrUrl) ? await findFile(pool, tenant, idOrUrl, clock.now()) : undefined;
    const isTheirs = within === undefined || found?.linkedAccountId === within.linkedAccountId;
    if (found === undefined || !isTheirs) throw new AppError('file_not_found', { id: idOrUrl.slice(0, 100) });
    return readable(tenant, found);
  }

  async function openLink(token: string, tenant?: Tenant): Promise<ReadableFile> {
    const link = links.read(token);
    // A link of another tenant is no better than a forged one.
    const isForeign =
      tenant !== undefined &&
      (link?.tenant.orgId !== tenant.orgId || link.tenant.environment !== tenant.environment);
    if (link === undefined || isForeign) throw new AppError('file_not_found', { id: 'of this link' });
    const now = clock.now();
    if (link.expiresAt !== null && link.expiresAt <= now) {
      throw new AppError('file_link_expired', { at: link.expiresAt.toISOString() });
    }
    const found = await findFile(pool, link.tenant, link.fileId, now);
    if (found === undefined) throw new AppError('file_not_found', { id: link.fileId });
    return readable(link.tenant, found);
  }

  function readable(tenant: Tenant, row: StoredFile): ReadableFile {
    return {
      ...written(tenant, row),
      bytes: ({ start, end } = { start: 0, end: row.size - 1 }) => chunksOf(pool, tenant, row.id, start, end),
    };
  }

  function written(
    tenant: Tenant,
    row: Pick<StoredFile, 'id' | 'name' | 'contentType' | 'size' | 'sha256' | 'createdAt' | 'expiresAt'>,
  ): WrittenFile {
    const { id, name, contentType, size, createdAt, expiresAt } = row;
    const url = links.url({ fileId: id, tenant, expiresAt }, name);
    return { id, name, contentType, size, sha256: row.sha256.toString('hex'), url, createdAt, expiresAt };
  }

  return {
    write,
    read,
    readByToken: (token) => openLink(token),
    isOurLink: (address) => links.tokenOf(address) !== undefined,
    async named(tenant, linkedAccountId, name) {
      const now = clock.now();
      const rows = await filesNamed(pool, tenant, { linkedAccountId, name: safeName(name), now });
      return rows.map((row) => written(tenant, row));
    },
    async delete(tenant, id, within) {
      const found = isId(id) ? await findFile(pool, tenant, id, clock.now()) : undefined;
      if (found === undefined) return false;
      if (within !== undefined && found.linkedAccountId !== within.linkedAccountId) return false;
      return deleteFile(pool, tenant, id);
    },
    usage: (tenant) => fileUsage(pool, tenant),
  };
}

/** Reads ahead by one chunk: the database works while the reader is busy, and two chunks are in memory. */
async function* chunksOf(
  pool: Pool,
  tenant: Tenant,
  fileId: string,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  if (end < start) return;
  const last = Math.floor(end / chunkBytes);
  const first = Math.floor(start / chunkBytes);
  const load = (seq: number): Promise<Buffer | undefined> => {
    const chunk = readChunk(pool, tenant, fileId, seq);
    chunk.catch(() => undefined); // looked at below, unless the reader has gone
    return chunk;
  };
  let next = load(first);
  for (let seq = first; seq <= last; seq += 1) {
    const bytes = await next;
    if (bytes === undefined) throw new AppError('file_not_found', { id: fileId });
    if (seq < last) next = load(seq + 1);
    const from = seq === first ? start - first * chunkBytes : 0;
    const to = seq === last ? end - last * chunkBytes + 1 : bytes.length;
    yield from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
  }
}

async function* rechunked(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const given of content) {
    let rest = given;
    while (size + rest.length >= chunkBytes) {
      const part = rest.subarray(0, chunkBytes - size);
      yield Buffer.concat([...held, part]);
      rest = rest.subarray(part.length);
      held = [];
      size = 0;
    }
    if (rest.length > 0) {
      held.push(rest);
      size += rest.length;
    }
  }
  if (size > 0) yield Buffer.concat(held);
}

function refuseTaken(others: readonly StoredFile[], name: string): void {
  if (others.length > 0) throw new AppError('file_exists', { name });
}

/** A name for people: no folders, no control or direction characters, at most 200 characters. */
export function safeName(name: string): string {
  const plain = (name.split(/[/\\]/).at(-1) ?? '').replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '').trim();
  return plain === '' || plain === '.' || plain === '..' ? 'file' : shortened(plain);
}

/** Keeps the ending of a name that is too long. */
function shortened(name: string): string {
  if (name.length <= 200) return name;
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  return name.slice(0, 200 - ending.length) + ending;
}
