import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkout, say } from './paths.mjs';
import { handOver } from './run.mjs';

const sources = ['packages', 'examples'];

/** Test files below `directory` whose name ends in `suffix`. */
function testFiles(directory, accepts) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist') return [];
    const where = path.join(directory, entry.name);
    if (entry.isDirectory()) return testFiles(where, accepts);
    return accepts(entry.name) ? [where] : [];
  });
}

const isPure = (name) => name.endsWith('.test.ts') && !name.endsWith('.db.test.ts');
const isDatabase = (name) => name.endsWith('.db.test.ts');

function filesIn(folders, accepts) {
  return folders.flatMap((folder) => testFiles(path.join(checkout, folder), accepts)).sort();
}

/** The tests without a database, or the files named on the command line, whichever kind they are. */
export function runUnit(node, args) {
  const named = args.filter((arg) => !arg.startsWith('-'));
  const files = named.length > 0 ? [] : filesIn(sources, isPure);
  return handOver(node, ['--test', ...args, ...files], named.length > 0 ? {} : { cwd: checkout });
}

/** Everything, in the order in which a mistake is cheapest to find. All steps run; the summary names the failed. */
export async function runTests(node) {
  const bin = (name) => path.join(checkout, 'node_modules', name);
  /** @type {[string, string[]][]} */
  const steps = [
    ['types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.json']],
    ['lint', [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
    ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
    ['dead code', [bin('knip/bin/knip.js')]],
    ['unit and database tests', ['--test', ...filesIn(sources, (name) => isPure(name) || isDatabase(name))]],
  ];
  const failed = [];
  for (const [name, command] of steps) {
    say(`\n== ${name}`);
    if ((await handOver(node, command, { cwd: checkout })) !== 0) failed.push(name);
  }
  say(failed.length === 0 ? '\nEverything passed.' : `\nFAILED: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}
