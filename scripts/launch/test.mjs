import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { ensureChromium } from './chromium.mjs';
import { checkout, say, Stop } from './paths.mjs';
import { capture, handOver } from './run.mjs';
import { reporters, slowest, takeResults } from './test-results.mjs';

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

/** Node runs one file fewer than there are cores, which is one on two; many tests wait for something. */
const atOnce = Math.max(2, availableParallelism());
/** They say how long something may take, so nothing else may take its time meanwhile. */
const measuring = ['tests/lifecycle.test.ts', 'tests/browser/portal-edges.test.ts'];

/** Everything, in the order in which a mistake is cheapest to find. All steps run; the summary names the failed. */
export async function runTests(node) {
  const chromium = await ensureChromium();
  const stopTestServer = await startTestServer(node);
  const folder = mkdtempSync(path.join(tmpdir(), 'inlay-results-'));
  const file = path.join(folder, 'results');
  const options = { cwd: checkout, env: { ...process.env, CHROMIUM: chromium } };
  const steps = [];
  const since = Date.now();
  try {
    steps.push(...(await runChecks(node, options)));
    for (const [name, concurrency, files] of suites()) {
      say(`\n== ${name}`);
      const flags = ['--test', '--test-timeout=300000', `--test-concurrency=${concurrency}`];
      const begun = Date.now();
      const code = await handOver(node, [...flags, ...reporters(file), ...files], options);
      steps.push(stepOf(name, begun, code, takeResults(file)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await stopTestServer();
  }
  return summary(steps, Date.now() - since);
}

/** The checks of the source, side by side: half of them keep one core busy only. */
function runChecks(node, options) {
  const bin = (name) => path.join(checkout, 'node_modules', name);
  /** @type {[string, string[]][]} */
  const checks = [
    ['types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.json']],
    ['types of the user interface', [bin('typescript/bin/tsc'), '-p', 'packages/ui/tsconfig.json']],
    ['lint', [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
    ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
    ['dead code', [bin('knip/bin/knip.js')]],
  ];
  return Promise.all(
    checks.map(async ([name, command]) => {
      const begun = Date.now();
      const { code, output } = await capture(node, command, options);
      say(`\n== ${name}\n${output.trim()}`);
      return stepOf(name, begun, code, undefined);
    }),
  );
}

/** @returns {[name: string, concurrency: number, files: string[]][]} */
function suites() {
  const whole = filesIn(['tests'], isTest);
  const isMeasuring = (name) => measuring.some((one) => name === path.join(checkout, one));
  return [
    ['unit and database tests', atOnce, filesIn(sources, isTest)],
    ['whole-system tests', atOnce, whole.filter((name) => !isMeasuring(name))],
    ['whole-system tests that measure time', 1, whole.filter(isMeasuring)],
  ];
}

function stepOf(name, begun, code, results) {
  const { passed, failed, tests, files } = results ?? {
    passed: code === 0 ? 1 : 0,
    failed: 0,
    tests: [],
    files: [],
  };
  const hasFailed = code !== 0 || failed > 0;
  return {
    name,
    hasFailed,
    passed,
    failed: hasFailed ? Math.max(failed, 1) : 0,
    tests,
    files,
    seconds: Math.round((Date.now() - begun) / 1000),
  };
}

/** Prints what took how long and what failed; answers the exit code. */
function summary(steps, ms) {
  const tests = steps.flatMap((step) => step.tests);
  const files = steps.flatMap((step) => step.files);
  const failed = steps.filter((step) => step.hasFailed).map((step) => step.name);
  const sum = (key) => steps.reduce((total, step) => total + step[key], 0);
  const lines = [
    '',
    'The slowest 10 files:',
    ...slowest(files, 10),
    'The slowest 20 tests:',
    ...slowest(tests, 20),
    'The steps:',
    ...steps.map(({ name, seconds }) => `${String(seconds).padStart(6)} s  ${name}`),
    '',
    `npm test: ${steps.length} steps in ${Math.round(ms / 1000)} s, ` +
      (failed.length === 0 ? 'all passed' : `FAILED: ${failed.join(', ')}`),
    `${sum('passed')} passed, ${sum('failed')} failed`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return failed.length === 0 ? 0 : 1;
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
