import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '#domain/errors';
import { encodeFrame, frameReader } from '#sandbox/frames';
import type { FrameKind } from '#sandbox/frames';
import { possibleJails, startJailed } from '#sandbox/jail';
import type { Jail } from '#sandbox/jail';
import { guestLibraries, pythonRuntime } from '#sandbox/libraries';

/** One run: a source and JSON text in, JSON text out. */
export interface ProcessRun {
  readonly source: string;
  readonly input: string;
}

/** How a run ended that ended by itself. */
export type RunOutcome = { readonly result: string } | { readonly error: Error };

/** Runs for a process, one after the other under one set of limits. */
export interface ProcessJob {
  readonly kind: 'code' | 'python' | 'jsonata';
  readonly runs: readonly ProcessRun[];
  /** JSON text of the execution's variables. */
  readonly variables?: string | undefined;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** Runs of the same name may share an isolate. */
  readonly room?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A line that the code printed, as the child sent it. */
  readonly onConsole: (text: string) => void;
  /** JSON text of the variables that the code set, once, before its result. */
  readonly onVariables?: (text: string) => void;
  /** A request of the code; resolves to the JSON text of the answer. */
  readonly onAsk: (text: string, signal: AbortSignal) => Promise<string>;
}

/** A supervised sandbox process. After a breach of any limit it is dead and must be replaced. */
export interface SandboxProcess {
  readonly pid: number | undefined;
  isAlive(): boolean;
  /**
   * One outcome a run, in order.
   *
   * @throws AppError when a limit is broken or the process ends; what the other runs came to is lost
   */
  run(job: ProcessJob): Promise<RunOutcome[]>;
  kill(): void;
}

interface Current {
  readonly job: ProcessJob;
  readonly outcomes: RunOutcome[];
  /** Ends the requests of this run; made with the first one. */
  asking?: AbortController;
  /** Ends the job; with an error instead of its outcomes. */
  settle(error?: Error): void;
}

const megabyte = 1024 * 1024;
const longest: Readonly<Partial<Record<FrameKind, number>>> = {
  ready: 0,
  console: 400_000,
  ask: 45 * megabyte,
  result: 125 * megabyte, // 30 M characters of up to four bytes
  failed: 40_000,
  variables: 5 * megabyte,
};
const bootTimeoutMs = 20_000;
/** Memory of a process beside the isolate that it runs: Node itself and texts on their way. */
const ownMemoryMb = 450;

const require = createRequire(import.meta.url);

/** What a process is told before its first run: the sources of the snapshot, the libraries, Python. */
export async function guestBoot(): Promise<string> {
  const files = [
    join(dirname(require.resolve('lodash/package.json')), 'lodash.min.js'),
    join(dirname(require.resolve('date-fns/package.json')), 'cdn.min.js'),
    join(dirname(require.resolve('jsonata/package.json')), 'jsonata.min.js'),
    ...['web', 'libraries', 'python', 'run'].map((name) => `${import.meta.dirname}/guest/${name}.js`),
  ];
  const sources = ['globalThis.window = globalThis;', ...files.map((file) => readFileSync(file, 'utf8'))];
  const { script, wasm } = pythonRuntime();
  const libraries = await guestLibraries();
  return JSON.stringify({ sources, libraries, python: { script, wasm: wasm.toString('base64') } });
}

/**
 * Finds the strictest jail in which a process starts here, by starting one in each.
 *
 * @throws Error when none works.
 */
export async function findJail(boot: string): Promise<{ jail: Jail; first: SandboxProcess }> {
  const faults: string[] = [];
  for (const jail of possibleJails()) {
    try {
      return { jail, first: await startProcess(jail, boot) };
    } catch (error) {
      faults.push(`${jail.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`No sandbox process can be started. ${faults.join('; ')}`);
}

/** Starts a process and waits until its first isolate is warm. */
export async function startProcess(jail: Jail, boot: string): Promise<SandboxProcess> {
  const child = startJailed(jail);
  let isAlive = true;
  let complaint = '';
  let current: Current | undefined;
  let whenReady = Promise.withResolvers<void>();
  whenReady.promise.catch(() => undefined);

  const kill = (reason: Error): void => {
    isAlive = false;
    child.kill('SIGKILL');
    whenReady.reject(reason);
    current?.settle(reason);
  };
  const onFrame = (kind: FrameKind, body: string): void => {
    if (kind === 'ready') return whenReady.resolve();
    if (current === undefined) return undefined;
    if (kind === 'console') current.job.onConsole(body);
    else if (kind === 'variables') current.job.onVariables?.(body);
    else if (kind === 'result') ended({ result: body }, current);
    else if (kind === 'failed') ended({ error: readFailure(body, current.job) }, current);
    else if (kind === 'ask') ask(body, current);
    return undefined;
  };
  const ended = (outcome: RunOutcome, of: Current): void => {
    of.outcomes.push(outcome);
    if (of.outcomes.length === of.job.runs.length) of.settle();
  };
  const ask = (text: string, asker: Current): void => {
    asker.asking ??= new AbortController();
    const { signal } = asker.asking;
    const answer = async (): Promise<void> => {
      const body = await asker.job.onAsk(text, signal);
      if (isAlive && current === asker) child.stdin?.write(encodeFrame('answer', body));
    };
    answer().catch(kill);
  };
  const read = frameReader((kind) => longest[kind] ?? -1, onFrame);
  child.stdout?.on('data', (chunk: Buffer) => {
    try {
      if (isAlive) read(chunk);
    } catch (error) {
      kill(
        new AppError(
          'code_failed',
          { reason: 'the sandbox was ended, since it sent what it may not' },
          { cause: error },
        ),
      );
    }
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    if (complaint.length < 4_000) complaint += chunk.toString('utf8');
  });
  child.stdin?.on('error', () => undefined); // the exit is reported below
  child.on('error', (error) => kill(error));
  child.on('close', (code, signalName) => {
    const isMemory = /out of memory|allocation failed|heap limit|last few GCs|invalid size error/i.test(
      complaint,
    );
    const reason = `the sandbox process ended (${signalName ?? code})`;
    kill(
      isMemory && current !== undefined
        ? new AppError('code_out_of_memory', { limitMb: current.job.memoryMb })
        : new AppError('code_failed', { reason }, { cause: complaint }),
    );
  });

  child.stdin?.write(encodeFrame('boot', boot));
  const bootTimer = setTimeout(() => kill(new Error('it did not start in time')), bootTimeoutMs);
  await whenReady.promise.finally(() => clearTimeout(bootTimer));

  return {
    pid: child.pid,
    isAlive: () => isAlive,
    kill: () => kill(new Error('closed')),
    async run(job) {
      await whenReady.promise;
      whenReady = Promise.withResolvers<void>();
      whenReady.promise.catch(() => undefined);
      const end = Promise.withResolvers<RunOutcome[]>();
      const outcomes: RunOutcome[] = [];
      const started: Current = {
        job,
        outcomes,
        settle: (error) => {
          if (current !== started) return;
          current = undefined;
          if (error === undefined) end.resolve(outcomes);
          else end.reject(error);
        },
      };
      current = started;
      const timer = setTimeout(
        () => kill(new AppError('code_timeout', { timeoutMs: job.timeoutMs })),
        job.timeoutMs,
      );
      const watch = watchMemory(child.pid, job.memoryMb, () =>
        kill(new AppError('code_out_of_memory', { limitMb: job.memoryMb })),
      );
      const onAbort = (): void =>
        kill(job.signal?.reason instanceof Error ? job.signal.reason : new Error('stopped'));
      job.signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const { kind, runs, variables, memoryMb, room } = job;
        const sent = { kind, runs, variables, memoryMb, room };
        child.stdin?.write(encodeFrame('job', JSON.stringify(sent)));
        await end.promise;
        // Whoever used up its memory may have left the process short of it: start afresh.
        const shortage = outcomes.find((one) => 'error' in one && isOutOfMemory(one.error));
        if (shortage !== undefined && 'error' in shortage) kill(shortage.error);
        return outcomes;
      } finally {
        clearTimeout(timer);
        clearInterval(watch);
        started.asking?.abort();
        job.signal?.removeEventListener('abort', onAbort);
      }
    },
  };
}

function isOutOfMemory(error: Error): boolean {
  return error instanceof AppError && error.code === 'code_out_of_memory';
}

function readFailure(body: string, job: ProcessJob): Error {
  const { reason, message } = JSON.parse(body) as { reason?: unknown; message?: unknown };
  if (reason === 'memory') return new AppError('code_out_of_memory', { limitMb: job.memoryMb });
  return new AppError('code_failed', { reason: String(message).slice(0, 4_000) });
}

/** The isolate's own limit is approximate and does not see everything; the resident memory is the second limit. */
function watchMemory(
  pid: number | undefined,
  memoryMb: number,
  onBreach: () => void,
): NodeJS.Timeout | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined;
  return setInterval(() => {
    try {
      const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
      if (pages * 4096 > (memoryMb + ownMemoryMb) * megabyte) onBreach();
    } catch {
      // the process is gone, which its exit reports
    }
  }, 100);
}
