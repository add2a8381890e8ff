import { once } from 'node:events';
import { pino } from 'pino';
import { createDb, createPool } from '../../packages/server/src/db/pool.ts';
import { createEngine, type NodeServices } from '../../packages/server/src/engine/index.ts';
import { fireSchedules } from '../../packages/server/src/triggers/fire-schedules.ts';
import { testVault } from '../../packages/server/src/vault/testing.ts';

/**
 * One process that fires schedules, for tests of several: it says `ready`, begins when a line comes in, and ends when
 * nothing is due any more. NOW is what its clock shows.
 */
const { DATABASE_URL, NOW } = process.env;
if (DATABASE_URL === undefined || NOW === undefined) throw new Error('DATABASE_URL and NOW are required.');

const now = new Date(NOW);
const pool = createPool({ url: DATABASE_URL, max: 6 });
const deps = {
  pool,
  db: createDb(pool),
  clock: { now: () => now },
  log: pino({ level: 'warn' }),
  vault: testVault('schedules'),
  services: {} as NodeServices,
};
const engine = await createEngine(deps, { databaseUrl: DATABASE_URL, concurrency: 1 });
process.stdout.write('ready\n');
await once(process.stdin, 'data');

let looked = 0;
// Two looks at a time in each process, few rows at a time: as much contention as there can be.
await Promise.all(
  [1, 2].map(async () => {
    for (let rows = 1; rows > 0; looked += rows) rows = await fireSchedules({ ...deps, engine }, 37);
  }),
);
process.stdout.write(`${looked}\n`);
await engine.drain(1_000);
await pool.end();
process.exit(0);
