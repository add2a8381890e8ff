import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chown, open, readFile, readlink, realpath, rm, stat, truncate } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '#domain/startup-error';
import type { Cluster } from '#db/embedded/cluster';

export interface RunningServer {
  readonly pid: number;
  readonly socketDirectory: string;
  /** True when it ran already: an earlier Inlay was killed, or another one of this folder runs. */
  readonly wasRunning: boolean;
}

export interface ServerOptions {
  /** Settings over the defaults, such as `{ fsync: 'off' }` for throw-away data. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/**
 * Starts PostgreSQL on a data folder, or takes over the one that runs on it.
 *
 * The server is a session of its own: Ctrl-C in a terminal does not reach it, so that it outlives us while we
 * drain, and it survives our violent death, after which the next start adopts it.
 */
export async function startServer(cluster: Cluster, options: ServerOptions = {}): Promise<RunningServer> {
  const deadline = Date.now() + (options.timeoutMs ?? 60_000);
  let failure = '';
  while (Date.now() < deadline) {
    const found = await findServer(cluster.dataDirectory);
    if (found !== undefined) {
      const ready = await waitUntilReady(cluster.dataDirectory, found.pid, deadline);
      if (ready !== undefined) return { ...ready, wasRunning: true };
      continue; // it was shutting down, or died: start our own
    }
    const attempt = await launch(cluster, options.settings ?? {}, deadline);
    if ('pid' in attempt) return { ...attempt, wasRunning: false };
    failure = attempt.failure;
    // After a crash, the old server's last processes may still hold the shared memory; two launchers may race.
    if (!/lock file|shared memory|in use/i.test(failure)) break;
    await sleep(200);
  }
  throw new StartupError(
    `The embedded PostgreSQL did not start: ${failure || 'it did not become ready in time'}\nIts log is "${cluster.logFile}".`,
  );
}

/** Stops a server, letting it write what it holds; answers when it is gone. */
export async function stopServer({ dataDirectory }: Cluster, timeoutMs = 8_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const found = await findServer(dataDirectory);
  if (found === undefined) return;
  const { pid } = found;
  signal(pid, 'SIGINT');
  while (await isServerOf(dataDirectory, pid)) {
    if (Date.now() > deadline) {
      signal(pid, 'SIGQUIT'); // gives up the checkpoint; the next start replays the log
      return;
    }
    await sleep(20);
  }
}

/**
 * The server that runs on a data folder, if one does. A lock file whose process is gone, or belongs to another
 * program that got the same number, is removed: PostgreSQL itself would refuse to start on the latter.
 */
export async function findServer(dataDirectory: string): Promise<{ pid: number } | undefined> {
  const lock = await readLockFile(dataDirectory);
  if (lock === undefined) return undefined;
  if (await isServerOf(dataDirectory, lock.pid)) return { pid: lock.pid };
  await rm(path.join(dataDirectory, 'postmaster.pid'), { force: true });
  return undefined;
}

interface LockFile {
  readonly pid: number;
  readonly socketDirectory: string;
  readonly status: string;
}

/** postmaster.pid, line by line: pid, data folder, start time, port, socket folder, address, shared memory, status. */
async function readLockFile(dataDirectory: string): Promise<LockFile | undefined> {
  let text: string;
  try {
    text = await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const lines = text.split('\n');
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  return { pid, socketDirectory: lines[4] ?? '', status: (lines[7] ?? '').trim() };
}

async function waitUntilReady(
  dataDirectory: string,
  pid: number,
  deadline: number,
): Promise<{ pid: number; socketDirectory: string } | undefined> {
  while (Date.now() < deadline) {
    const lock = await readLockFile(dataDirectory);
    if (lock?.pid === pid && lock.status === 'ready') return { pid, socketDirectory: lock.socketDirectory };
    if (!(await isServerOf(dataDirectory, pid))) return undefined;
    await sleep(10);
  }
  return undefined;
}

type Attempt = { pid: number; socketDirectory: string } | { failure: string };

async function launch(
  cluster: Cluster,
  settings: Readonly<Record<string, string>>,
  deadline: number,
): Promise<Attempt> {
  const { dataDirectory, account, binaries, logFile } = cluster;
  const from = await prepareLog(cluster);
  const all = { ...defaultSettings(), unix_socket_directories: cluster.socketDirectory, ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = openSync(logFile, 'a');
  const child = spawn(binaries.postgres, ['-D', dataDirectory, ...args], {
    ...account,
    cwd: dataDirectory,
    detached: true,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  const exited = new Promise<'exited'>((resolve) => {
    child.once('exit', () => resolve('exited'));
    child.once('error', () => resolve('exited'));
  });
  if (child.pid === undefined) return { failure: 'the program could not be run' };
  const outcome = await Promise.race([exited, waitUntilReady(dataDirectory, child.pid, deadline)]);
  if (outcome !== 'exited' && outcome !== undefined) return outcome;
  return { failure: await logSince(logFile, from) };
}

/** Sized for a machine that PostgreSQL shares with us. fsync and synchronous_commit stay on: accepted is stored. */
function defaultSettings(): Record<string, string> {
  const megabytes = Math.floor(totalmem() / 1_048_576);
  return {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: `${Math.min(128, Math.max(32, Math.floor(megabytes / 16)))}MB`,
    effective_cache_size: `${Math.max(128, Math.floor(megabytes / 2))}MB`,
    maintenance_work_mem: '64MB',
    wal_compression: 'on',
    wal_buffers: '16MB',
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    random_page_cost: '1.1',
    jit: 'off',
    log_checkpoints: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
}

const largestLog = 10 * 1_048_576;

/** @returns where this start's lines begin */
async function prepareLog({ logFile, account }: Cluster): Promise<number> {
  await (await open(logFile, 'a', 0o600)).close();
  if (account.uid !== undefined && account.gid !== undefined) await chown(logFile, account.uid, account.gid);
  const { size } = await stat(logFile);
  if (size <= largestLog) return size;
  await truncate(logFile);
  return 0;
}

async function logSince(logFile: string, from: number): Promise<string> {
  const text = (await readFile(logFile)).subarray(from).toString();
  return text.trim().split('\n').slice(-8).join('\n');
}

/** PostgreSQL stands in its data folder, which tells it from any other program that got the same number. */
async function isServerOf(dataDirectory: string, pid: number): Promise<boolean> {
  if (!signal(pid, 0)) return false;
  if (process.platform !== 'linux') return true;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDirectory));
  } catch (error) {
    // Gone, or a zombie. Where we may not look, PostgreSQL itself shall judge.
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ENOENT' && code !== 'ESRCH';
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
