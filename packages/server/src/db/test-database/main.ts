import { Client } from 'pg';
import { openTestServer } from '#db/test-database/server';

/**
 * `launch.mjs test-db`: starts or finds the shared test server and prints its URL; `--stop` ends it,
 * `--stop-unless-used` leaves it to whoever is connected.
 */
const server = await openTestServer();
if (process.argv.includes('--stop')) {
  await server.stop();
} else if (process.argv.includes('--stop-unless-used')) {
  await server.stopUnlessUsed();
} else {
  await dropLeftovers(server.url);
  const facts = { url: server.url, wasRunning: server.wasRunning };
  process.stdout.write(process.argv.includes('--json') ? `${JSON.stringify(facts)}\n` : `${server.url}\n`);
}

/** Test runs that were killed leave their databases; their names hold the time they were made. */
async function dropLeftovers(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select d.datname as name from pg_database d
       where d.datname like 'test\\_%' and not exists (select from pg_stat_activity a where a.datname = d.datname)`,
    );
    const anHourAgo = Date.now() - 3_600_000;
    for (const { name } of rows) {
      const madeAt = Number.parseInt(name.split('_')[1] ?? '', 36);
      if (madeAt < anHourAgo) await client.query(`drop database if exists "${name}"`);
    }
  } finally {
    await client.end();
  }
}
