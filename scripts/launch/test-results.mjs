import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkout } from './paths.mjs';

/**
 * A reporter of `node --test`, which loads it by its path: a line of JSON for each test, each file, and the whole run.
 *
 * @public
 */
export default async function* results(events) {
  for await (const { type, data } of events) {
    if ((type === 'test:pass' || type === 'test:fail') && data.details.type !== 'suite') {
      yield line({ kind: 'test', name: data.name, file: data.file, ms: data.details.duration_ms });
    } else if (type === 'test:summary') {
      const { file, counts, duration_ms: ms } = data;
      yield line(file === undefined ? { kind: 'run', counts } : { kind: 'file', file, ms });
    }
  }
}

const line = (fact) => `${JSON.stringify(fact)}\n`;

/** The flags that print a run for people on the terminal, and for us into `file`. */
export function reporters(file) {
  return [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${fileURLToPath(import.meta.url)}`,
    `--test-reporter-destination=${file}`,
  ];
}

/**
 * What the run that just ended wrote to `file`, and removes it.
 *
 * @returns undefined for what was no test run, or one that broke off
 */
export function takeResults(file) {
  if (!existsSync(file)) return undefined;
  const facts = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
  rmSync(file);
  const all = facts.map((fact) => JSON.parse(fact));
  const run = all.find(({ kind }) => kind === 'run');
  if (run === undefined) return undefined;
  const { passed, failed, cancelled } = run.counts;
  const of = (wanted) => all.filter(({ kind }) => kind === wanted);
  // A cancelled test has shown nothing, whatever the exit code says.
  return { passed, failed: failed + cancelled, tests: of('test'), files: of('file') };
}

/** Lines that name the slowest of some tests or files, slowest first. */
export function slowest(timed, count) {
  return [...timed]
    .sort((a, b) => b.ms - a.ms)
    .slice(0, count)
    .map(({ name, file, ms }) => {
      const where = file === undefined ? '' : path.relative(checkout, file);
      return `${(ms / 1000).toFixed(1).padStart(6)} s  ${[where, name].filter(Boolean).join(': ')}`;
    });
}
