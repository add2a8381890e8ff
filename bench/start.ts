import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startInlay } from '../tests/inlay.ts';
import { figure, type Figure } from './figure.ts';

const run = promisify(execFile);

/** From the start of the process to its banner, on an empty data folder and on one that was used before. */
export async function start(): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-bench-'));
  const bareNode = await timed(() => run(process.execPath, ['-e', '']));
  const seconds: number[] = [];
  try {
    for (let round = 0; round < 4; round += 1) {
      const begun = performance.now();
      const inlay = await startInlay({ dataDir });
      seconds.push((performance.now() - begun) / 1_000);
      await inlay.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
  const [first = Number.NaN, ...later] = seconds;
  const warm = later.toSorted((a, b) => a - b)[1] ?? Number.NaN;
  const reference = { name: 'node -e ""', value: bareNode };
  return [
    figure('start.first', first, 's', 'with the demo; initdb, migrations and first run included', reference),
    figure('start.warm', warm, 's', 'with the demo; median of 3', reference),
  ];
}

/** Proportional memory of the program without PostgreSQL and without the demo provider, once it is quiet. */
export async function idleMemory(): Promise<readonly Figure[]> {
  const inlay = await startInlay();
  try {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const processes = await family(inlay.child.pid ?? 0);
    const ours = processes.filter(({ command }) => !/postgres|acme-crm/.test(command));
    const megabytes = ours.reduce((sum, { pssKilobytes }) => sum + pssKilobytes, 0) / 1_024;
    return [
      figure('idle-memory', megabytes, 'MB', `PSS of ${ours.length} processes, 5 s after the start`, {
        name: 'an idle node process',
        value: await bareNodeMemory(),
      }),
    ];
  } finally {
    await inlay.stop();
  }
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly pssKilobytes: number;
}

/** A process and all its descendants. */
async function family(root: number): Promise<readonly Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const all = (await Promise.all(pids.map(readProcess))).filter((found) => found !== undefined);
  const members = new Set([root]);
  let size = 0;
  while (size !== members.size) {
    size = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return all.filter(({ pid }) => members.has(pid));
}

async function readProcess(pid: number): Promise<Process | undefined> {
  try {
    const [status, command, memory] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
    ]);
    return {
      pid,
      parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]),
      command: command.replaceAll('\0', ' '),
      pssKilobytes: Number(/^Pss:\s*(\d+)/m.exec(memory)?.[1]),
    };
  } catch {
    return undefined; // it ended while we looked, or is not ours to see
  }
}

async function bareNodeMemory(): Promise<number> {
  const { stdout } = await run(process.execPath, [
    '-e',
    'console.log(require("fs").readFileSync("/proc/self/smaps_rollup","utf8"))',
  ]);
  return Number(/^Pss:\s*(\d+)/m.exec(stdout)?.[1]) / 1_024;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1_000;
}
