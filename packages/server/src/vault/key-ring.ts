import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { AppError } from '#domain/errors';

/** Bytes of a key id inside every ciphertext. */
export const keyIdBytes = 8;
const keyBytes = 32;

export interface RingKey {
  /** 16 hex digits, computed from the key itself, so that two rings never give one id to two keys. */
  readonly id: string;
  readonly key: Buffer;
}

/** Keys that open what is stored; the first one seals. */
export interface KeyRing {
  readonly keys: readonly [RingKey, ...RingKey[]];
  /** Where signing keys come from. It outlives rotation, so rotating keys signs nobody out. */
  readonly derivationKey: Buffer;
}

const ringFile = z.object({
  version: z.literal(1),
  derivation: z.base64().length(44),
  keys: z.array(z.object({ key: z.base64().length(44), created_at: z.string() })).min(1),
});
type RingFile = z.infer<typeof ringFile>;

function ringKey(key: Buffer): RingKey {
  const id = createHash('sha256').update('inlay key id\0').update(key).digest('hex');
  return { id: id.slice(0, keyIdBytes * 2), key };
}

function ringOf(keys: readonly Buffer[], derivationKey: Buffer): KeyRing {
  const [current, ...older] = keys.map(ringKey);
  if (current === undefined) throw new TypeError('a key ring holds at least one key');
  return { keys: [current, ...older], derivationKey };
}

/**
 * The key ring of `INLAY_MASTER_KEY`: one or more keys of 32 bytes in base64 or hex, separated by commas. The
 * first seals; the others only open, until `inlay keys rotate` has run.
 *
 * @throws AppError `key_ring_unusable`
 */
export function ringFromText(text: string): KeyRing {
  const keys = text.split(',').map((part) => {
    const trimmed = part.trim();
    const key = /^[0-9a-f]{64}$/i.test(trimmed)
      ? Buffer.from(trimmed, 'hex')
      : Buffer.from(trimmed, /[-_]/.test(trimmed) ? 'base64url' : 'base64');
    if (key.length !== keyBytes) {
      throw new AppError('key_ring_unusable', {
        source: 'INLAY_MASTER_KEY',
        reason: `a key has ${key.length} bytes, not 32; make one with "openssl rand -base64 32"`,
      });
    }
    if (new Set(key).size < 8) {
      throw new AppError('key_ring_unusable', {
        source: 'INLAY_MASTER_KEY',
        reason: 'the key is not random; make one with "openssl rand -base64 32"',
      });
    }
    return key;
  });
  const first = keys[0];
  if (first === undefined) throw new TypeError('split always gives one part');
  return ringOf(keys, Buffer.from(hkdfSync('sha256', first, '', 'inlay derivation', keyBytes)));
}

/**
 * Reads the key ring file, and makes it when it does not exist yet.
 *
 * @throws AppError `key_ring_unusable` when it is readable by others, damaged, or cannot be read.
 */
export async function ringFromFile(path: string): Promise<KeyRing> {
  return ringOfFile((await readRingFile(path)) ?? (await createRingFile(path)));
}

/**
 * Watches a ring file: answers the ring when the file has changed since the last call. A look costs some ten
 * microseconds, beside the write to the database that every sealing leads to.
 */
export function changedRing(path: string): () => KeyRing | undefined {
  let seen = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return () => {
    const found = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    // A file that went missing is no reason to stop: the ring in memory still works.
    if (found === undefined || found === seen) return undefined;
    seen = found;
    const file = parseRing(readFileSync(path, 'utf8'));
    return file && ringOfFile(file);
  };
}

/** Puts a new key in front of the ring file; what the older keys sealed still opens. */
export async function addRingKey(path: string): Promise<KeyRing> {
  const file = await readRingFile(path);
  if (file === undefined) {
    throw new AppError('key_ring_unusable', { source: path, reason: 'the file does not exist' });
  }
  const next: RingFile = { ...file, keys: [newFileKey(), ...file.keys] };
  await replaceFile(path, next);
  return ringOfFile(next);
}

/** Takes every key but the first out of the ring file: what they sealed cannot be opened any more. */
export async function dropOldRingKeys(path: string): Promise<number> {
  const file = await readRingFile(path);
  if (file === undefined || file.keys.length === 1) return 0;
  await replaceFile(path, { ...file, keys: file.keys.slice(0, 1) });
  return file.keys.length - 1;
}

function newFileKey(): RingFile['keys'][number] {
  return { key: randomBytes(keyBytes).toString('base64'), created_at: new Date().toISOString() };
}

function ringOfFile(file: RingFile): KeyRing {
  return ringOf(
    file.keys.map((entry) => Buffer.from(entry.key, 'base64')),
    Buffer.from(file.derivation, 'base64'),
  );
}

async function readRingFile(path: string): Promise<RingFile | undefined> {
  const unusable = (reason: string, cause?: unknown): AppError =>
    new AppError('key_ring_unusable', { source: path, reason }, { cause });
  let text: string;
  try {
    const { mode } = await stat(path);
    // Windows has no such bits; everywhere else another user of the machine must not read our keys.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw unusable(
        `other users of this machine may read it (mode ${(mode & 0o777).toString(8)}); run "chmod 600 ${path}"`,
      );
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unusable(`it cannot be read (${errorCode(error)})`, error);
  }
  const file = parseRing(text);
  if (file === undefined) {
    throw unusable('it is not a key ring of this version; restore it from your backup');
  }
  return file;
}

/** What the parser says is not passed on: it quotes the text, and the text is keys. */
function parseRing(text: string): RingFile | undefined {
  try {
    return ringFile.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function createRingFile(path: string): Promise<RingFile> {
  const file: RingFile = {
    version: 1,
    derivation: randomBytes(keyBytes).toString('base64'),
    keys: [newFileKey()],
  };
  const draft = await draftInFolder(path, file);
  try {
    // `link` fails when the name is taken: of two processes that start together one wins, with a whole file.
    await link(draft, path);
    return file;
  } catch (error) {
    const winner = errorCode(error) === 'EEXIST' ? await readRingFile(path) : undefined;
    if (winner !== undefined) return winner;
    throw new AppError(
      'key_ring_unusable',
      { source: path, reason: `it cannot be created (${errorCode(error)})` },
      { cause: error },
    );
  } finally {
    await unlink(draft);
  }
}

/** Makes the file's own folder, but nothing above it: a path that is wrong from the start is a mistake to report. */
async function draftInFolder(path: string, file: RingFile): Promise<string> {
  try {
    await mkdir(dirname(path), { mode: 0o700 }).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
    return await writeDraft(path, file);
  } catch (error) {
    throw new AppError(
      'key_ring_unusable',
      { source: path, reason: `it cannot be created (${errorCode(error)})` },
      { cause: error },
    );
  }
}

async function replaceFile(path: string, file: RingFile): Promise<void> {
  await rename(await writeDraft(path, file), path);
}

async function writeDraft(path: string, file: RingFile): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
    throw new AppError(
      'key_ring_unusable',
      { source: path, reason: `its folder cannot be written (${errorCode(error)})` },
      { cause: error },
    );
  });
  try {
    await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
