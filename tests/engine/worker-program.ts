import { openCrashWorker, type StartOrder } from './crash-worker.ts';

/**
 * One process with the real engine, for tests that kill it. It is told by its environment: where the database and
 * the sink of effects are, where to die, and what to start before it claims.
 */
const { DATABASE_URL, SINK_URL, CRASH_AT, START, CONCURRENCY = '500' } = process.env;
if (DATABASE_URL === undefined || SINK_URL === undefined)
  throw new Error('DATABASE_URL and SINK_URL are required.');

await openCrashWorker(
  {
    databaseUrl: DATABASE_URL,
    sinkUrl: SINK_URL,
    concurrency: Number(CONCURRENCY),
    crashAt: CRASH_AT,
    start: START === undefined ? undefined : (JSON.parse(START) as StartOrder),
  },
  // At once: what a process said before it was killed is wanted most.
  { write: (text) => void process.stderr.write(text) },
);
process.stdout.write('ready\n');
