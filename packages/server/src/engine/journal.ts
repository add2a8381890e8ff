import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { isContended, isDatabaseAway, pauseBeforeRetry } from '#db/database-fault';
import {
  flushJournal,
  storeLargeValues,
  type FlushResult,
  type JournalRow,
  type RunEnding,
} from '#db/journal-flush';
import type { CrashHook } from '#engine/crash-points';

/** Thrown at whoever waits for a commit of a worker that has lost its lease: its runs belong to others now. */
export class LeaseLostError extends Error {
  /** Names one item of a batch, not the connection: the queued executions beside it are still written. */
  readonly code = 'lease_lost';

  constructor() {
    super('This worker was declared dead: its runs belong to other workers now.');
    this.name = 'LeaseLostError';
  }
}

/** The database was there and did not take a row; `cause` is what it said. */
export class UnwrittenRowError extends Error {
  /** Undefined: it was the end of the run. */
  readonly nodeId: string | undefined;

  constructor(nodeId: string | undefined, cause: unknown) {
    super('A row of the journal could not be written.', { cause });
    this.name = 'UnwrittenRowError';
    this.nodeId = nodeId;
  }
}

/**
 * The one writer of a worker. Rows go to a buffer; while one flush is on its way everything else gathers, and goes
 * together in the next.
 */
export interface Journal {
  /** Buffers a row that nobody waits for; it is written with, and never after, whatever is added later. */
  add(row: JournalRow): void;
  /** Buffers and waits for the commit. True: somebody asked to stop this execution. */
  addAndCommit(row: JournalRow): Promise<boolean>;
  /** Buffers the end of a run, with its last rows, and waits for the commit. */
  end(ending: RunEnding): Promise<void>;
  /** Resolves when what one execution has added so far is committed, however much others go on adding. */
  written(executionId: string): Promise<void>;
  /** Resolves when nothing is waiting to be written; under load that may be never. */
  idle(): Promise<void>;
  /** Resolves when so little is waiting to be written that a loop may go on adding. */
  room(): Promise<void>;
}

/** The journal of a worker, as its owner sees it. */
export interface WorkerJournal extends Journal {
  /** A run is not in memory any longer: what could not be written of it says nothing about its next time. */
  forget(executionId: string): void;
}

export interface JournalDeps {
  readonly pool: Pool;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly crash?: CrashHook | undefined;
  /** Called once, when a flush is refused. */
  readonly onLeaseLost: () => void;
  /** Rows of one execution cannot be written, whether anybody waits for them or not. None of its later ones is. */
  readonly onBroken: (executionId: string, error: unknown) => void;
  /** The worker's life has ended: what cannot be written now is for others to do again. */
  readonly isOver: () => boolean;
}

interface Waiter {
  readonly executionId: string;
  readonly resolve: (isStopAsked: boolean) => void;
  readonly reject: (error: Error) => void;
}

interface Batch {
  readonly rows: readonly JournalRow[];
  readonly endings: readonly RunEnding[];
  readonly waiters: readonly Waiter[];
}

const largestFlush = 2_000;
/** Some 10 s: what one write brings about by itself must not hold up those of others. */
const mostTriesOfItsOwn = 10;
/** What nobody waits for is written with what somebody waits for, or after this time. */
const longestUnwaitedMs = 25;
const mostUnwaited = 500;
/** Loops that make rows faster than they are written wait above this. */
const mostBuffered = 4_000;

/** Opens the journal for one worker id; after a lost lease a new one is opened under a new id. */
export function openJournal(deps: JournalDeps, workerId: string): WorkerJournal {
  let rows: JournalRow[] = [];
  let endings: RunEnding[] = [];
  let waiters: Waiter[] = [];
  let running: Promise<void> | undefined;
  let unwaited: NodeJS.Timeout | undefined;
  let isLost = false;
  /** Executions a row of which is missing: another one behind it would tell a story that did not happen. */
  const broken = new Map<string, Error>();

  function kick(): void {
    clearTimeout(unwaited);
    unwaited = undefined;
    running ??= drain();
  }

  async function drain(): Promise<void> {
    // A node's outcome and the start of its successor are added in one turn of the event loop: one flush.
    await new Promise((resolve) => setImmediate(resolve));
    while (hasWork()) {
      await settle(takeBatch());
    }
    running = undefined;
  }

  function hasWork(): boolean {
    return !isLost && (rows.length > 0 || endings.length > 0 || waiters.length > 0);
  }

  async function settle(batch: Batch): Promise<void> {
    try {
      deliver(batch.waiters, await write(batch));
    } catch (error) {
      const parts = error instanceof LeaseLostError ? [] : byExecution(batch);
      // Something in here cannot be written: one execution must not take its neighbours with it.
      if (parts.length > 1) for (const part of parts) await settle(part);
      else if (parts.length === 1) await breakOff(batch, error);
      else for (const waiter of batch.waiters) waiter.reject(error as Error);
    }
  }

  /** Writes of one execution what can be written, up to the first row that cannot, and nothing after it. */
  async function breakOff(batch: Batch, error: unknown): Promise<void> {
    const executionId = (batch.rows[0] ?? batch.endings[0] ?? batch.waiters[0])!.executionId;
    const reason = isDatabaseAway(error) ? (error as Error) : await findUnwritten(batch, error);
    deps.log.error({ err: error, executionId }, 'Rows of an execution could not be written.');
    broken.set(executionId, reason);
    const others = <T extends { readonly executionId: string }>(of: readonly T[]): T[] =>
      of.filter((one) => one.executionId !== executionId);
    const waiting = waiters.filter((waiter) => waiter.executionId === executionId);
    rows = others(rows);
    endings = others(endings);
    waiters = others(waiters);
    for (const waiter of [...batch.waiters, ...waiting]) waiter.reject(reason);
    if (!(reason instanceof LeaseLostError)) deps.onBroken(executionId, reason);
  }

  async function findUnwritten(batch: Batch, error: unknown): Promise<Error> {
    for (const row of batch.rows) {
      try {
        await write({ rows: [row], endings: [], waiters: [] });
      } catch (fault) {
        return fault instanceof LeaseLostError ? fault : new UnwrittenRowError(row.nodeId, fault);
      }
    }
    return new UnwrittenRowError(undefined, error);
  }

  /** Whole buffers: a waiter's rows are never in a later flush than the waiter. */
  function takeBatch(): Batch {
    const batch = { rows, endings, waiters };
    rows = [];
    endings = [];
    waiters = [];
    return batch;
  }

  async function write(batch: Batch): Promise<FlushResult> {
    crashBefore(deps.crash, batch);
    for (let tries = 1; ; tries += 1) {
      try {
        await storeLargeValues(
          deps.pool,
          batch.rows.flatMap((row) => [
            { tenant: row.tenant, value: row.input },
            { tenant: row.tenant, value: row.output },
          ]),
        );
        const result = await writeInPieces(batch);
        if (!result.isAlive) throw loseLease();
        crashAfter(deps.crash, batch);
        return result;
      } catch (error) {
        if (error instanceof LeaseLostError || !isDatabaseAway(error)) throw error;
        if (deps.isOver()) throw loseLease();
        if (tries >= mostTriesOfItsOwn && isContended(error)) throw error;
        // Nobody knows whether it was committed, so the same rows go again; the fence ends this if it takes too long.
        deps.log.warn({ err: error }, 'The journal could not reach the database; trying again.');
        await pauseBeforeRetry(tries);
      }
    }
  }

  /** Endings go with the last piece, after every row that leads to them. */
  async function writeInPieces(batch: Batch): Promise<FlushResult> {
    const stopped: string[] = [];
    for (let from = 0; ; from += largestFlush) {
      const isLast = from + largestFlush >= batch.rows.length;
      const result = await flushJournal(deps.pool, {
        workerId,
        rows: batch.rows.slice(from, from + largestFlush),
        endings: isLast ? batch.endings : [],
      });
      stopped.push(...result.stopped);
      if (isLast || !result.isAlive) return { isAlive: result.isAlive, stopped };
    }
  }

  function loseLease(): LeaseLostError {
    isLost = true;
    const error = new LeaseLostError();
    for (const waiter of takeBatch().waiters) waiter.reject(error);
    deps.onLeaseLost();
    return error;
  }

  function wait(executionId: string): Promise<boolean> {
    if (isLost) return Promise.reject(new LeaseLostError());
    return new Promise((resolve, reject) => {
      waiters.push({ executionId, resolve, reject });
      kick();
    });
  }

  return {
    add(row) {
      if (broken.has(row.executionId)) return;
      rows.push(row);
      if (rows.length >= mostUnwaited) kick();
      else unwaited ??= setTimeout(kick, longestUnwaitedMs);
    },
    addAndCommit(row) {
      if (broken.has(row.executionId)) return Promise.reject(broken.get(row.executionId));
      rows.push(row);
      return wait(row.executionId);
    },
    async end(ending) {
      endings.push(ending);
      await wait(ending.executionId);
    },
    async written(executionId) {
      if (running !== undefined || hasWork()) await wait(executionId);
    },
    async room() {
      while (hasWork() && rows.length > mostBuffered) {
        kick();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    async idle() {
      if (hasWork()) kick();
      await running;
    },
    forget: (executionId) => void broken.delete(executionId),
  };
}

function byExecution(batch: Batch): Batch[] {
  const ids = new Set([
    ...batch.rows.map((row) => row.executionId),
    ...batch.endings.map((ending) => ending.executionId),
    ...batch.waiters.map((waiter) => waiter.executionId),
  ]);
  return Array.from(ids, (id) => ({
    rows: batch.rows.filter((row) => row.executionId === id),
    endings: batch.endings.filter((ending) => ending.executionId === id),
    waiters: batch.waiters.filter((waiter) => waiter.executionId === id),
  }));
}

function deliver(waiters: readonly Waiter[], { stopped }: FlushResult): void {
  const isStopAsked = new Set(stopped);
  for (const waiter of waiters) waiter.resolve(isStopAsked.has(waiter.executionId));
}

function crashBefore(crash: CrashHook | undefined, batch: Batch): void {
  if (crash === undefined) return;
  if (batch.rows.some((row) => row.kind === 'start')) crash('attempt.before-start-commit');
  if (batch.rows.some((row) => row.kind === 'outcome')) crash('outcome.before-commit');
  if (batch.rows.some((row) => row.kind === 'batch')) crash('batch.before-commit');
  if (batch.endings.length > 0) crash('final.before-commit');
}

function crashAfter(crash: CrashHook | undefined, batch: Batch): void {
  if (crash === undefined) return;
  if (batch.rows.some((row) => row.kind === 'start')) crash('attempt.after-start-commit');
  if (batch.rows.some((row) => row.kind === 'outcome')) crash('outcome.after-commit');
  if (batch.rows.some((row) => row.kind === 'batch')) crash('batch.after-commit');
  if (batch.endings.length > 0) crash('final.after-commit');
}
