import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import tar from 'tar-stream';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { promisify } from 'node:util';
import { AppError } from '#domain/errors';
import { limited } from '#files/source';

export type ArchiveKind = 'zip' | 'tar' | 'tgz' | 'gz';

/** One file of an archive; its bytes are read before the next one is asked for. */
export interface ArchivedFile {
  /** Relative, with `/` between folders, and never out of the folder it is unpacked into. */
  readonly path: string;
  readonly bytes: AsyncIterable<Buffer>;
}

const mostFiles = 10_000;
const mostUnpacked = 2 * 1024 * 1024 * 1024;
/** What a small archive may become without being a bomb; above, a hundredfold is the end. */
const harmlessBytes = 64 * 1024 * 1024;
const mostRatio = 100;

/** The kind of an archive by its name. */
export function archiveKind(name: string): ArchiveKind | undefined {
  const lower = name.toLowerCase();
  if (lower.endsWith('.zip')) return 'zip';
  if (lower.endsWith('.tgz') || lower.endsWith('.tar.gz')) return 'tgz';
  if (lower.endsWith('.tar')) return 'tar';
  return lower.endsWith('.gz') ? 'gz' : undefined;
}

/** Bytes at any place, as zip needs them: its directory is at the end. */
export interface RandomAccess {
  readonly size: number;
  range(start: number, end: number): AsyncIterable<Buffer>;
}

/**
 * Unpacks an archive a file at a time. Links, devices and every path that leads out of the folder are refused, not
 * skipped: an archive that tries it is not worth having half.
 *
 * @throws AppError `file_content_invalid` also when it unpacks to more than is reasonable
 */
export async function* unpacked(
  archive: RandomAccess,
  kind: ArchiveKind,
  name: string,
): AsyncGenerator<ArchivedFile> {
  const invalid = (reason: string, cause?: unknown): AppError =>
    new AppError('file_content_invalid', { name, format: kind, reason }, { cause });
  const guard = growthGuard(archive.size, invalid);
  const whole = (): AsyncIterable<Buffer> => archive.range(0, archive.size - 1);
  let count = 0;
  try {
    const files =
      kind === 'zip'
        ? unzipped(archive, invalid)
        : kind === 'gz'
          ? gunzipped(whole(), name)
          : untarred(kind === 'tgz' ? inflated(whole()) : whole(), invalid);
    for await (const { path, bytes } of files) {
      count += 1;
      if (count > mostFiles) throw invalid(`it holds more than ${mostFiles} files`);
      yield { path: safePath(path, invalid), bytes: guard(bytes) };
    }
  } catch (error) {
    throw asInvalid(error, invalid);
  }
}

function asInvalid(error: unknown, invalid: Invalid): AppError {
  if (error instanceof AppError) return error;
  return invalid(error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read', error);
}

type Invalid = (reason: string, cause?: unknown) => AppError;

/** Counts what comes out over all files. */
function growthGuard(
  packed: number,
  invalid: Invalid,
): (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer> {
  const limit = Math.min(mostUnpacked, Math.max(harmlessBytes, packed * mostRatio));
  let total = 0;
  return async function* counted(bytes) {
    try {
      for await (const chunk of bytes) {
        total += chunk.length;
        if (total > limit) throw invalid(`unpacked it is larger than ${Math.round(limit / 1024 / 1024)} MB`);
        yield chunk;
      }
    } catch (error) {
      throw asInvalid(error, invalid);
    }
  };
}

/** @throws for paths that are absolute, climb, or hold a control character */
function safePath(path: string, invalid: Invalid): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const isBad = /^[/\\]|\\|^[A-Za-z]:|\p{Cc}/u.test(path) || parts.includes('..') || parts.length === 0;
  if (isBad) throw invalid(`it holds the path "${path.slice(0, 100)}", which leads out of the folder`);
  return parts.join('/');
}

async function* gunzipped(bytes: AsyncIterable<Buffer>, name: string): AsyncGenerator<ArchivedFile> {
  yield { path: name.replace(/\.gz$/i, '') || 'file', bytes: inflated(bytes) };
}

function inflated(bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return pipeline(
    Readable.from(bytes, { objectMode: false }),
    createGunzip(),
    () => undefined,
  ) as AsyncIterable<Buffer>;
}

async function* untarred(bytes: AsyncIterable<Buffer>, invalid: Invalid): AsyncGenerator<ArchivedFile> {
  const extract = tar.extract();
  pipeline(Readable.from(bytes, { objectMode: false }), extract, () => undefined);
  for await (const entry of extract) {
    const { type, name } = entry.header;
    if (type === 'file' || type === 'contiguous-file')
      yield { path: name, bytes: entry as AsyncIterable<Buffer> };
    else if (type === 'directory') entry.resume();
    else throw invalid(`"${name.slice(0, 100)}" is a ${type ?? 'thing'} and not a file`);
    // What the reader left is passed over: the next file lies behind it.
    entry.resume();
  }
}

async function* unzipped(archive: RandomAccess, invalid: Invalid): AsyncGenerator<ArchivedFile> {
  const zip = await openZip(archive);
  const openEntry = promisify((entry: Entry, done: (error: Error | null, stream?: Readable) => void) =>
    zip.openReadStream(entry, done as never),
  );
  try {
    for (;;) {
      const entry = await nextEntry(zip);
      if (entry === undefined) return;
      const mode = entry.externalFileAttributes >>> 16;
      const kind = mode & 0o170000;
      if (entry.fileName.endsWith('/')) continue;
      if (kind !== 0 && kind !== 0o100000)
        throw invalid(`"${entry.fileName.slice(0, 100)}" is a link and not a file`);
      if ((entry.generalPurposeBitFlag & 1) !== 0) throw invalid('it is encrypted');
      const stream = await openEntry(entry);
      if (stream !== undefined) {
        yield { path: entry.fileName, bytes: limited(stream, entry.uncompressedSize, entry.fileName) };
        stream.destroy();
      }
    }
  } finally {
    zip.close();
  }
}

class Ranges extends yauzl.RandomAccessReader {
  readonly #archive: RandomAccess;

  constructor(archive: RandomAccess) {
    super();
    this.#archive = archive;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#archive.range(start, end - 1), { objectMode: false });
  }
}

async function openZip(archive: RandomAccess): Promise<ZipFile> {
  const opened = Promise.withResolvers<ZipFile>();
  yauzl.fromRandomAccessReader(
    new Ranges(archive),
    archive.size,
    { lazyEntries: true, decodeStrings: true },
    (error, zip) => (error === null ? opened.resolve(zip) : opened.reject(error)),
  );
  return opened.promise;
}

function nextEntry(zip: ZipFile): Promise<Entry | undefined> {
  const next = Promise.withResolvers<Entry | undefined>();
  const onEntry = (entry: Entry): void => next.resolve(entry);
  const onEnd = (): void => next.resolve(undefined);
  const onError = (error: Error): void => next.reject(error);
  zip.once('entry', onEntry);
  zip.once('end', onEnd);
  zip.once('error', onError);
  zip.readEntry();
  return next.promise.finally(() => {
    zip.off('entry', onEntry);
    zip.off('end', onEnd);
    zip.off('error', onError);
  });
}
