import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { actionOverhead } from './action-overhead.ts';
import { burst } from './burst.ts';
import { eventIngest } from './event-ingest.ts';
import { asyncExecutions, syncExecution } from './executions.ts';
import { figure, figureLine, type Figure } from './figure.ts';
import { growth } from './growth.ts';
import { longLoop } from './long-loop.ts';
import { jsonThousandsPerSecond } from './machine.ts';
import { reliability } from './reliability.ts';
import { idleMemory, start } from './start.ts';

/**
 * `npm run -s bench -- [NAME …] [--full] [--json] [--save]`: without a name all of them, one after the other. What
 * takes minutes is done in full only with --full or when the bench is named.
 */
const benches: Readonly<Record<string, (how: { readonly isFull: boolean }) => Promise<readonly Figure[]>>> = {
  start,
  'idle-memory': idleMemory,
  'action-overhead': actionOverhead,
  'event-ingest': eventIngest,
  'sync-execution': syncExecution,
  'async-executions': asyncExecutions,
  loop: longLoop,
  burst,
  growth,
  reliability,
};

const { values, positionals } = parseArgs({
  options: { full: { type: 'boolean' }, json: { type: 'boolean' }, save: { type: 'boolean' } },
  allowPositionals: true,
});

const unknown = positionals.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  process.stderr.write(
    `There is no bench "${unknown.join('", "')}". Choose from: ${Object.keys(benches).join(', ')}\n`,
  );
  process.exit(2);
}

const isFull = values.full === true || positionals.length > 0;
const all: Figure[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  const processor = figure(
    `machine.processor.before-${name}`,
    jsonThousandsPerSecond(),
    'thousand/s',
    '1 KB of JSON parsed and written, one core',
  );
  for (const measured of [processor, ...((await benches[name]?.({ isFull })) ?? [])]) {
    all.push(measured);
    process.stdout.write(
      values.json === true ? `${JSON.stringify(measured)}\n` : `${figureLine(measured)}\n`,
    );
  }
}

if (values.save === true) {
  const day = new Date().toISOString().slice(0, 10);
  const folder = path.join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
  await writeFile(
    path.join(folder, `${day}.json`),
    `${JSON.stringify({ day, machine, figures: all }, null, 2)}\n`,
  );
}
