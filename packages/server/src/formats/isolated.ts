import { Worker } from 'node:worker_threads';
import type { PdfEdit } from '#formats/pdf';
import { AppError } from '#domain/errors';

/** A sheet as plain values; dates are ISO text. */
export interface Sheet {
  readonly name: string;
  readonly rows: readonly (readonly unknown[])[];
}

/** What a thread can be asked for, and what it gives back. */
export interface IsolatedTasks {
  readWorkbook: { input: { bytes: Uint8Array }; output: Sheet[] };
  editPdf: { input: PdfEdit; output: Uint8Array };
  writeWorkbook: { input: { sheets: readonly Sheet[]; hasFormulas: boolean }; output: Uint8Array };
}

export type TaskName = keyof IsolatedTasks;

const memoryMb = 512;
const timeoutMs = 60_000;
const mostThreads = 2;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Does heavy work on a file in a thread of its own, with a limit of memory and of time: a file that explodes ends its
 * thread, and nothing else. Two run at a time in a process; others wait.
 *
 * @param file - its name and kind, for errors
 * @throws AppError `file_content_invalid`
 */
export async function runIsolated<Name extends TaskName>(
  name: Name,
  input: IsolatedTasks[Name]['input'],
  { file, format, signal }: { file: string; format: string; signal: AbortSignal },
): Promise<IsolatedTasks[Name]['output']> {
  signal.throwIfAborted();
  if (running >= mostThreads) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1; // one that waited takes the place of the one that ended
  try {
    return await inThread(name, input, { file, format, signal });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

async function inThread<Name extends TaskName>(
  name: Name,
  input: IsolatedTasks[Name]['input'],
  { file, format, signal }: { file: string; format: string; signal: AbortSignal },
): Promise<IsolatedTasks[Name]['output']> {
  const invalid = (reason: string, cause?: unknown): AppError =>
    new AppError('file_content_invalid', { name: file, format, reason }, { cause });
  const outcome = Promise.withResolvers<IsolatedTasks[Name]['output']>();
  signal.throwIfAborted();
  const worker = new Worker(new URL('isolated-thread.ts', import.meta.url), {
    workerData: { name, input },
    env: {},
    execArgv: ['--no-warnings'],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
  });
  const timer = setTimeout(
    () => outcome.reject(invalid(`it takes longer than ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  const onAbort = (): void => outcome.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  worker.on('message', (answer: { output: IsolatedTasks[Name]['output'] } | { fault: string }) => {
    if ('fault' in answer) outcome.reject(invalid(answer.fault));
    else outcome.resolve(answer.output);
  });
  worker.on('error', (error: Error & { code?: string }) => {
    const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    outcome.reject(isMemory ? invalid(`it takes more than ${memoryMb} MB of memory`, error) : error);
  });
  worker.on('exit', () => outcome.reject(invalid('the thread that read it ended')));
  try {
    return await outcome.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
