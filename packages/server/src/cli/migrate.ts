import { openDatabase } from '#boot/database';
import { loadConfig } from '#config';
import { migrate } from '#db/migrate';
import { createPool } from '#db/pool';

/** `inlay migrate`: what `start` does first, for deployments that want it as a step of its own. */
export async function migrateDatabase(): Promise<number> {
  const database = await openDatabase(loadConfig(), () => undefined);
  try {
    const pool = createPool({ url: database.url, max: 1 });
    try {
      const ran = await migrate(pool);
      process.stdout.write(ran === 0 ? 'The database is up to date.\n' : `Applied ${ran} migrations.\n`);
    } finally {
      await pool.end();
    }
  } finally {
    await database.close();
  }
  return 0;
}
