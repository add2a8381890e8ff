import type { Pool } from 'pg';
import { openDatabase } from '#boot/database';
import { type Config, loadConfig } from '#config';
import { createPool } from '#db/pool';
import { StartupError } from '#domain/startup-error';
import { addRingKey, countOldSealed, dropOldRingKeys, openVault, resealAll } from '#vault/index';

/**
 * `inlay keys rotate` puts a new key in front of the key file and seals every stored secret with it, while Inlay
 * runs. With INLAY_MASTER_KEY the new key is put in front by hand, in every process, and this seals with it.
 *
 * `inlay keys prune` takes the older keys out of the file, and refuses while a secret still needs one of them.
 */
export async function runKeysCommand([name]: readonly string[]): Promise<number> {
  const config = loadConfig();
  if (name !== 'rotate' && name !== 'prune') {
    throw new StartupError('Usage: inlay keys rotate | inlay keys prune');
  }
  return withPool(config, name === 'rotate' ? rotate : prune);
}

async function rotate(config: Config, pool: Pool): Promise<number> {
  if (config.masterKey === undefined) await addRingKey(config.keyFile);
  const deps = { pool, vault: await openVault(config) };
  const first = await resealAll(deps);
  // A running process may have read the old ring just before; what it sealed with it is caught by a second walk.
  const second = await resealAll(deps);
  process.stdout.write(
    `Sealed ${first.resealed + second.resealed} secrets with key ${deps.vault.currentKeyId}.\n`,
  );
  if (second.unreadable > 0) {
    process.stdout.write(
      `${second.unreadable} secrets could not be opened with any key of the ring. They were left as they are.\n`,
    );
    return 1;
  }
  process.stdout.write(
    'Keep the old key as long as you keep backups made with it; "inlay keys prune" removes it from the key file.\n',
  );
  return 0;
}

async function prune(config: Config, pool: Pool): Promise<number> {
  if (config.masterKey !== undefined) {
    throw new StartupError('The keys stand in INLAY_MASTER_KEY. Remove the old ones there.');
  }
  const left = await countOldSealed({ pool, vault: await openVault(config) });
  if (left > 0) {
    throw new StartupError(
      `${left} secrets are still sealed by an older key. Run "inlay keys rotate" first.`,
    );
  }
  const dropped = await dropOldRingKeys(config.keyFile);
  process.stdout.write(dropped === 0 ? 'There is no older key.\n' : `Removed ${dropped} older keys.\n`);
  return 0;
}

async function withPool(
  config: Config,
  work: (config: Config, pool: Pool) => Promise<number>,
): Promise<number> {
  const database = await openDatabase(config, () => undefined);
  try {
    const pool = createPool({ url: database.url, max: 2 });
    try {
      return await work(config, pool);
    } finally {
      await pool.end();
    }
  } finally {
    await database.close();
  }
}
