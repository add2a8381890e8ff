import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureChromium } from './chromium.mjs';
import { checkout, say, Stop } from './paths.mjs';
import { capture, handOver } from './run.mjs';

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

const isTest = (name) => name.endsWith('.test.ts');
/** Neither `.db.test.ts` (a real database) nor `.system.test.ts` (servers and processes). */
const isPure = (name) => isTest(name) && !/\.(db|system)\.test\.ts$/.test(name);

function filesIn(folders, accepts) {
  return folders.flatMap((folder) => testFiles(path.join(checkout, folder), accepts)).sort();
}

/** The tests without database, servers and processes, or the files named on the command line, whichever kind they are. */
export function runUnit(node, args) {
  const named = args.filter((arg) => !arg.startsWith('-'));
  const files = named.length > 0 ? [] : filesIn(sources, isPure);
  return handOver(node, ['--test', ...args, ...files], named.length > 0 ? {} : { cwd: checkout });
}

/** Everything, in the order in which a mistake is cheapest to find. All steps run; the summary names the failed. */
export async function runTests(node) {
  const chromium = await ensureChromium();
  const stopTestServer = await startTestServer(node);
  const bin = (name) => path.join(checkout, 'node_modules', name);
  const results = mkdtempSync(path.join(tmpdir(), 'inlay-results-'));
  const suite = (files) => ['--test', '--test-timeout=300000', ...reporters(results), ...files];
  /** @type {[string, string[]][]} */
  const steps = [
    ['types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.json']],
    ['types of the user interface', [bin('typescript/bin/tsc'), '-p', 'packages/ui/tsconfig.json']],
    ['lint', [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
    ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
    ['dead code', [bin('knip/bin/knip.js')]],
    ['unit and database tests', suite(filesIn(sources, isTest))],
    ['whole-system tests', ['--test-concurrency=1', ...suite(filesIn(['tests'], isTest))]],
  ];
  const env = { ...process.env, CHROMIUM: chromium };
  const failedSteps = [];
  const total = { passed: 0, failed: 0 };
  const since = Date.now();
  try {
    for (const [name, command] of steps) {
      say(`\n== ${name}`);
      const code = await handOver(node, command, { cwd: checkout, env });
      const { passed, failed } = readResults(results) ?? { passed: code === 0 ? 1 : 0, failed: 0 };
      total.passed += passed;
      total.failed += code === 0 ? failed : Math.max(failed, 1);
      if (code !== 0) failedSteps.push(name);
    }
  } finally {
    rmSync(results, { recursive: true, force: true });
    await stopTestServer();
  }
  const seconds = Math.round((Date.now() - since) / 1000);
  const verdict = failedSteps.length === 0 ? 'all passed' : `FAILED: ${failedSteps.join(', ')}`;
  process.stdout.write(`\nnpm test: ${steps.length} steps in ${seconds} s, ${verdict}\n`);
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return failedSteps.length === 0 ? 0 : 1;
}

/** For people on the terminal, and for us in a file. */
function reporters(folder) {
  const file = path.join(folder, 'tap');
  const onTerminal = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  return [...onTerminal, '--test-reporter=tap', `--test-reporter-destination=${file}`];
}

/** What the suite that just ran counted; undefined for a step that is no suite, or a suite that broke off. */
function readResults(folder) {
  const file = path.join(folder, 'tap');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  rmSync(file);
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail') + count('cancelled') };
}

/** The PostgreSQL of the database tests; ended afterwards unless it ran before, or others use it by then. */
async function startTestServer(node) {
  const program = path.join(checkout, 'packages/server/src/db/test-database/main.ts');
  const { code, output } = await capture(node, [program, '--json']);
  if (code !== 0) throw new Stop(output.trim());
  const { wasRunning } = JSON.parse(output);
  if (wasRunning) return () => Promise.resolve();
  return () => capture(node, [program, '--stop-unless-used']);
}
