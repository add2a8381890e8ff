import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '#domain/errors';
import { changedRing, type KeyRing, keyIdBytes, ringFromFile, ringFromText } from '#vault/key-ring';

/**
 * Sealed values: one random data key each, wrapped by the key ring's current key.
 *
 *     version 1 | key id 8 | wrap nonce 12 | wrapped data key 32 | wrap tag 16 | nonce 12 | text n | tag 16
 *
 * Both layers are AES-256-GCM (NIST SP 800-38D) and authenticate version, key id and context, so a value that is
 * moved to another row, or whose key id is edited, does not open. The ring key only ever encrypts 32-byte data
 * keys: its limit of 2^32 random nonces is 2^32 stored secrets, and a data key encrypts once.
 */
export interface Vault {
  /** Encrypts for storage. `context` names the row and column (`sealContext`); opening needs the same one. */
  seal(plain: Buffer | string, context: string): Buffer;
  /** @throws AppError `sealed_value_unreadable` for a damaged or moved value, or an unknown key. */
  open(sealed: Buffer, context: string): Buffer;
  sealJson(value: unknown, context: string): Buffer;
  openJson(sealed: Buffer, context: string): unknown;
  /** 32 bytes for another use, such as signing session tokens: the same purpose always gives the same key. */
  deriveKey(purpose: string): Buffer;
  /** Whether a value was sealed by the current key; false asks for rotation. */
  isCurrent(sealed: Buffer): boolean;
  /** The id of the key that seals now. */
  readonly currentKeyId: string;
}

const version = 1;
const dataKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + keyIdBytes;
const wrapBytes = nonceBytes + dataKeyBytes + tagBytes;
const overhead = headerBytes + wrapBytes + nonceBytes + tagBytes;

/**
 * Opens the key ring: `masterKey` (the text of INLAY_MASTER_KEY) when given, else the file, created on first use.
 *
 * @throws AppError `key_ring_unusable`
 */
export async function openVault(source: {
  readonly keyFile?: string | undefined;
  readonly masterKey?: string | undefined;
}): Promise<Vault> {
  if (source.masterKey !== undefined && source.masterKey !== '')
    return createVault(ringFromText(source.masterKey));
  const { keyFile } = source;
  if (keyFile === undefined) throw new TypeError('openVault needs keyFile or masterKey');
  const ring = await ringFromFile(keyFile);
  return createVault(ring, changedRing(keyFile));
}

/**
 * A vault on a key ring that is already in memory.
 *
 * @param newerRing - the ring if it has changed since it was last asked for: `inlay keys rotate` in another process
 * must not leave this one sealing with the old key, or unable to open what the new one sealed.
 */
export function createVault(start: KeyRing, newerRing: () => KeyRing | undefined = () => undefined): Vault {
  let current = start.keys[0];
  let byId = new Map(start.keys.map((entry) => [entry.id, entry.key]));

  function takeNewerRing(): void {
    const newer = newerRing();
    if (newer === undefined) return;
    current = newer.keys[0];
    byId = new Map(newer.keys.map((entry) => [entry.id, entry.key]));
  }

  function seal(plain: Buffer | string, context: string): Buffer {
    takeNewerRing();
    const header = Buffer.concat([Buffer.of(version), Buffer.from(current.id, 'hex')]);
    const aad = associatedData(header, context);
    const dataKey = randomBytes(dataKeyBytes);
    return Buffer.concat([
      header,
      encrypt(current.key, dataKey, aad),
      encrypt(dataKey, typeof plain === 'string' ? Buffer.from(plain, 'utf8') : plain, aad),
    ]);
  }

  function open(sealed: Buffer, context: string): Buffer {
    if (sealed.length < overhead || sealed[0] !== version) {
      throw new AppError('sealed_value_unreadable', { reason: 'it is damaged' });
    }
    const header = sealed.subarray(0, headerBytes);
    const keyId = header.subarray(1).toString('hex');
    if (!byId.has(keyId)) takeNewerRing();
    const key = byId.get(keyId);
    if (key === undefined) {
      throw new AppError('sealed_value_unreadable', { reason: `the key ring has no key "${keyId}"` });
    }
    const aad = associatedData(header, context);
    const dataKey = decrypt(key, sealed.subarray(headerBytes, headerBytes + wrapBytes), aad);
    return decrypt(dataKey, sealed.subarray(headerBytes + wrapBytes), aad);
  }

  return {
    seal,
    open,
    sealJson: (value, context) => seal(JSON.stringify(value), context),
    openJson: (sealed, context) => JSON.parse(open(sealed, context).toString('utf8')),
    deriveKey: (purpose) => Buffer.from(hkdfSync('sha256', start.derivationKey, '', `inlay ${purpose}`, 32)),
    isCurrent: (sealed) => sealed.subarray(1, headerBytes).toString('hex') === current.id,
    get currentKeyId() {
      return current.id;
    },
  };
}

function associatedData(header: Buffer, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context, 'utf8')]);
}

function encrypt(key: Buffer, plain: Buffer, aad: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, box: Buffer, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(aad).setAuthTag(box.subarray(box.length - tagBytes));
  try {
    const plain = decipher.update(box.subarray(nonceBytes, box.length - tagBytes));
    return Buffer.concat([plain, decipher.final()]);
  } catch (error) {
    throw new AppError(
      'sealed_value_unreadable',
      { reason: 'it was changed, or moved from another row' },
      { cause: error },
    );
  }
}
