import { openTestServer } from '#db/test-database/server';

/** `launch.mjs test-db`: starts or finds the shared test server and prints its URL; `--stop` ends it. */
const server = await openTestServer();
if (process.argv.includes('--stop')) {
  await server.stop();
} else {
  process.stdout.write(`${server.url}\n`);
}
