#!/usr/bin/env node
/**
 * The one entrance: `npm test` and friends call it, and `npm start` asks it to prepare. It runs on any Node >= 18,
 * makes the checkout ready (dependencies, the project's own Node 24, the built UI) and hands over. Warm, that
 * costs two file reads and a hash of the UI sources.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ensureUi } from './launch/build-ui.mjs';
import { ensureInstalled } from './launch/install.mjs';
import { checkout, say, Stop } from './launch/paths.mjs';
import { handOver } from './launch/run.mjs';
import { runTests, runUnit } from './launch/test.mjs';

const usage = `Usage: node scripts/launch.mjs <command>

  ready     make the checkout ready and print the path of the Node that runs Inlay (scripts/start.sh does the rest)
  status    show what runs (--json for programs)
  test      everything: types, lint, format, dead code, unit, database, API, browser and crash tests
  unit      the fast tests, or the test files you name
  test-db   keep a PostgreSQL for tests running and print its URL (--stop ends it)
  bench     measure
  docs      write the pages of docs/ that are generated from code
  inlay     any other command of the product: node scripts/launch.mjs inlay --help
`;

const cli = path.join(checkout, 'packages/server/src/cli/inlay.ts');

const commands = {
  async ready(node) {
    await ensureUi(node);
    process.stdout.write(`${node}\n`);
    return 0;
  },
  status: (node, args) => handOver(node, [cli, 'status', ...args]),
  inlay: (node, args) => handOver(node, [cli, ...args]),
  docs: (node) => handOver(node, [path.join(checkout, 'packages/server/src/cli/write-docs.ts')]),
  unit: runUnit,
  async test(node) {
    await ensureUi(node);
    return runTests(node);
  },
  'test-db': (node, args) =>
    handOver(node, [path.join(checkout, 'packages/server/src/db/test-database/main.ts'), ...args]),
  async bench(node, args) {
    const program = path.join(checkout, 'bench/main.ts');
    if (!existsSync(program))
      throw new Stop('There is nothing to measure yet: bench/main.ts does not exist.');
    await ensureUi(node);
    return handOver(node, [program, ...args]);
  },
};

async function main([name, ...args]) {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(commands, name)) {
    throw new Stop(`"${name}" is not a command.\n\n${usage}`);
  }
  const node = await ensureInstalled();
  return commands[name](node, args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  say(error.message);
  process.exitCode = 1;
}
