import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type ivm from 'isolated-vm';
import { encodeFrame, frameReader } from './frames.ts';
import type { FrameKind } from './frames.ts';
import { pureFunction } from './pure-functions.ts';

/**
 * Program of a sandbox process. It has no environment, no network, may read only these files, and does one run at a
 * time. Code has an isolate of its own each time; JSONata, in which nothing can be kept from one run to the next,
 * shares one with earlier expressions of the same tenant: making an isolate costs some 5 ms. It believes nothing that
 * comes out of the isolate: texts are passed on, limits are kept by the parent, which ends this process when one is
 * broken.
 *
 * It imports by relative paths only: the permission model lets it read nothing but what it names.
 */

interface Job {
  readonly kind: 'code' | 'python' | 'jsonata';
  /** One after the other. Inputs are JSON texts. */
  readonly runs: readonly Run[];
  /** JSON text. */
  readonly variables?: string;
  readonly memoryMb: number;
  /** Runs with the same name share an isolate; without one each has its own. */
  readonly room?: string;
}

interface Run {
  readonly source: string;
  readonly input: string;
}

interface Room {
  readonly isolate: ivm.Isolate;
  readonly context: ivm.Context;
  readonly memoryMb: number;
  readonly run: ivm.Reference<unknown>;
  readonly python: ivm.Reference;
  readonly transform: ivm.Reference;
  readonly answer: ivm.Reference;
  onMessage: (text: string) => unknown;
}

/** What a process is told once. */
interface Boot {
  readonly sources: readonly string[];
  readonly libraries: Readonly<Record<string, string>>;
  readonly python: { readonly script: string; readonly wasm: string };
}

const usualMemoryMb = 256;
/** Isolates that wait for another run of the same name. */
const mostKeptRooms = 4;
/** A shared isolate is replaced after this many runs, so that nothing can build up in it. */
const runsPerRoom = 500;

const { ivm: vm } = createRequire(import.meta.url)(process.argv[2] as string) as { ivm: typeof ivm };
let given: Boot = { sources: [], libraries: {}, python: { script: '', wasm: '' } };
let snapshot: ivm.ExternalCopy<ArrayBuffer> | undefined;
let ready: Promise<Room> | undefined;
let answerTo: ((text: string) => void) | undefined;
const kept = new Map<string, { readonly room: Room; runs: number }>();

/** What the next frame takes along: a write to the pipe costs both ends as much as a small run. */
let held: Buffer[] = [];
let heldBytes = 0;
const mostHeldBytes = 64 * 1024;

/** Sends it with the next frame, which follows in this same job. */
function hold(kind: FrameKind, body: string): void {
  const frame = encodeFrame(kind, body);
  held.push(frame);
  heldBytes += frame.length;
  if (heldBytes > mostHeldBytes) flush();
}

function send(kind: FrameKind, body: string): void {
  held.push(encodeFrame(kind, body));
  flush();
}

/** Written at once and whole: what waits in a stream would come after an answer that is waited for here. */
function flush(): void {
  const frame = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
  held = [];
  heldBytes = 0;
  for (let at = 0; at < frame.length;) {
    at += tryNow(() => writeSync(1, frame, at)) ?? 0;
  }
}

/** `undefined` after a moment's rest: the other end is not ready. */
function tryNow(step: () => number): number | undefined {
  try {
    return step();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    return undefined;
  }
}

/** Asks the parent and holds this process until it has answered; its time limit ends both. */
function askAndWait(text: string): string {
  const { id } = JSON.parse(text) as { id: number };
  const usual = answerTo;
  const others: string[] = [];
  const answer: { text?: string } = {};
  answerTo = (body) => {
    if ((JSON.parse(body) as { id: number }).id === id) answer.text = body;
    else others.push(body);
  };
  send('ask', text);
  while (answer.text === undefined) {
    const chunk = Buffer.allocUnsafe(65_536);
    const bytes = tryNow(() => readSync(0, chunk));
    if (bytes === 0) process.exit(0);
    if (bytes !== undefined) read(chunk.subarray(0, bytes));
  }
  answerTo = usual;
  for (const body of others) setImmediate(() => usual?.(body));
  return answer.text;
}

async function makeRoom(memoryMb: number): Promise<Room> {
  const isolate = new vm.Isolate({ memoryLimit: memoryMb, ...(snapshot === undefined ? {} : { snapshot }) });
  const context = await isolate.createContext();
  const room: { onMessage: (text: string) => unknown } = { onMessage: () => undefined };
  const connect = await context.global.get('__connect', { reference: true });
  const guest = await connect.apply(
    undefined,
    [new vm.Callback((text: unknown) => room.onMessage(String(text)))],
    {
      result: { reference: true },
    },
  );
  const [run, python, transform, answer] = await Promise.all(
    ['run', 'python', 'transform', 'answer'].map((name) => guest.get(name as never, { reference: true })),
  );
  return Object.assign(room, { isolate, context, memoryMb, run, python, transform, answer }) as Room;
}

/** Messages of one run: what it prints and asks for, and how it ends. */
function listen(room: Room, end: (kind: 'result' | 'failed', body: string) => void) {
  const timers = new Map<number, NodeJS.Timeout>();
  const asked = new Set<number>();
  // What may still move the code on: its first, synchronous part, and every request or timer not yet answered.
  const state = { isOver: false, pending: 1, timers };
  const stepDone = (): void => {
    state.pending -= 1;
    if (state.isOver || state.pending > 0) return;
    const message = 'The code waits for a promise that nothing will settle.';
    end('failed', JSON.stringify({ reason: 'threw', message }));
  };
  const reply = (text: string): void => {
    const { id } = JSON.parse(text) as { id: number };
    if (state.isOver || !asked.delete(id)) return;
    timers.delete(id);
    room.answer
      .apply(undefined, [text])
      .then(stepDone, (error: unknown) => end('failed', failure(room, error)));
  };
  const opened = (id: number): void => {
    if (asked.size >= 10_000) throw new Error('More than 10000 timers and requests are open.');
    asked.add(id);
    state.pending += 1;
  };
  answerTo = reply;
  room.onMessage = (text) => {
    if (state.isOver) return undefined;
    const rest = text.slice(1);
    if (text.startsWith('P')) return pureFunction(rest);
    if (text.startsWith('L')) return Object.hasOwn(given.libraries, rest) ? given.libraries[rest] : undefined;
    if (text.startsWith('W')) return askAndWait(rest);
    if (text.startsWith('V')) return send('variables', rest);
    if (text.startsWith('R')) return end('result', rest);
    const message = JSON.parse(text) as {
      kind: string;
      id: number;
      ms: number;
      message: string;
      isMemory: boolean;
    };
    if (message.kind === 'failed')
      end(
        'failed',
        JSON.stringify({ reason: message.isMemory ? 'memory' : 'threw', message: message.message }),
      );
    else if (message.kind === 'console') send('console', text);
    else if (message.kind === 'fetch') {
      opened(message.id);
      send('ask', text);
    } else if (message.kind === 'timer') {
      opened(message.id);
      const fire = () => reply(JSON.stringify({ id: message.id }));
      timers.set(message.id, setTimeout(fire, Math.min(message.ms, 3_600_000)));
    } else if (message.kind === 'clear_timer' && asked.delete(message.id)) {
      clearTimeout(timers.get(message.id));
      state.pending -= 1;
    }
    return undefined;
  };
  return { state, stepDone };
}

function failure(room: Room, error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : 'an error';
  const line = error instanceof Error ? /your-code\.js:(\d+)/.exec(error.stack ?? '') : null;
  // The first line of a compile error repeats the place; the line number is said once, at the end.
  const message = `${text.replace(/ \[your-code\.js:[\d:]+\]/, '')}${line === null ? '' : ` (line ${line[1]})`}`;
  const isMemory = room.isolate.isDisposed || /memory limit|Array buffer allocation failed/i.test(text);
  return JSON.stringify({ reason: isMemory ? 'memory' : 'threw', message: message.slice(0, 4_000) });
}

async function work(job: Job): Promise<void> {
  for (const [index, run] of job.runs.entries()) await workOn(job, run, index < job.runs.length - 1);
  ready ??= makeRoom(usualMemoryMb);
  await ready;
  send('ready', '');
}

async function workOn(job: Job, run: Run, isMoreToCome: boolean): Promise<void> {
  const room = await roomFor(job);
  const { promise, resolve } = Promise.withResolvers<readonly ['result' | 'failed', string]>();
  const { state, stepDone } = listen(room, (kind, body) => {
    if (state.isOver) return;
    state.isOver = true;
    resolve([kind, body]);
  });
  begin(room, job, run).then(stepDone, (error: unknown) => resolve(['failed', failure(room, error)]));
  const [kind, body] = await promise;
  state.isOver = true;
  answerTo = undefined;
  for (const timer of state.timers.values()) clearTimeout(timer);
  // With a warm isolate at hand the process is ready at once, and says so in the same breath.
  if (isMoreToCome || ready !== undefined) hold(kind, body);
  else send(kind, body);
  leave(room, job, kind === 'result');
}

/** The kept isolate of this name, or one that nobody has been in. */
async function roomFor({ room: name, memoryMb }: Job): Promise<Room> {
  const shared = name === undefined ? undefined : kept.get(name)?.room;
  if (shared !== undefined && shared.memoryMb === memoryMb) return shared;
  const warm = await (ready ?? makeRoom(usualMemoryMb));
  ready = undefined;
  if (warm.memoryMb === memoryMb) return warm;
  warm.isolate.dispose();
  return makeRoom(memoryMb);
}

/** Keeps the isolate for the next run of its name, the longest unused making way. One that failed is not kept. */
function leave(room: Room, { room: name }: Job, hasSucceeded: boolean): void {
  const known = name === undefined ? undefined : kept.get(name);
  const runs = known?.room === room ? known.runs + 1 : 1;
  if (name !== undefined) kept.delete(name);
  if (known !== undefined && known.room !== room) dispose(known.room);
  if (name === undefined || !hasSucceeded || runs >= runsPerRoom || room.isolate.isDisposed) {
    dispose(room);
    return;
  }
  kept.set(name, { room, runs });
  const [oldest] = kept;
  if (kept.size > mostKeptRooms && oldest !== undefined) {
    kept.delete(oldest[0]);
    dispose(oldest[1].room);
  }
}

function dispose({ isolate }: Room): void {
  if (!isolate.isDisposed) isolate.dispose();
}

async function begin(room: Room, job: Job, { source, input }: Run): Promise<void> {
  if (job.kind === 'jsonata') {
    await room.transform.apply(undefined, [source, input]);
    return;
  }
  const variables = job.variables ?? '{}';
  if (job.kind === 'python') {
    const { script, wasm } = given.python;
    const bytes = new vm.ExternalCopy(new Uint8Array(Buffer.from(wasm, 'base64')).buffer).copyInto({
      release: true,
    });
    await room.python.apply(undefined, [script, bytes, source, input, variables, job.memoryMb]);
    return;
  }
  const script = await room.isolate.compileScript(source, { filename: 'your-code.js' });
  await script.run(room.context, { release: true });
  const entry = await room.context.eval('typeof yourFunction === "undefined" ? undefined : yourFunction', {
    reference: true,
  });
  await room.run.apply(undefined, [entry.derefInto(), input, variables]);
}

async function boot(body: string): Promise<void> {
  given = JSON.parse(body) as Boot;
  snapshot = vm.Isolate.createSnapshot(given.sources.map((code) => ({ code })));
  ready = makeRoom(usualMemoryMb);
  await ready;
  send('ready', '');
}

/** Anything unforeseen ends this process; the parent starts another one. */
function giveUp(error: unknown): void {
  process.stderr.write(String(error).slice(0, 2_000));
  process.exit(70);
}

const read = frameReader(
  () => 128 * 1024 * 1024,
  (kind, body) => {
    if (kind === 'boot') boot(body).catch(giveUp);
    else if (kind === 'job') work(JSON.parse(body) as Job).catch(giveUp);
    else if (kind === 'answer') answerTo?.(body);
  },
);
process.stdin.on('data', read);
process.stdin.on('end', () => process.exit(0));
