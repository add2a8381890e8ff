import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { ProcessRun, RunOutcome } from '#sandbox/process';

export interface ExpressionTerms {
  /** Expressions of the same name may share an isolate, and go together. */
  readonly room: string | undefined;
  readonly timeoutMs: number;
  readonly tenant: Tenant | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface ExpressionBatches {
  /**
   * Evaluates one expression, together with others of its room that arrive while a process is busy with the room.
   *
   * @throws AppError when this one, by itself, breaks a limit; `sandbox_busy`; the signal's reason when it is aborted
   */
  evaluate(run: ProcessRun, terms: ExpressionTerms): Promise<RunOutcome>;
}

interface Waiting extends PromiseWithResolvers<RunOutcome> {
  readonly run: ProcessRun;
  readonly terms: ExpressionTerms;
}

/** What goes in one batch: so much that the way to the process and back is shared, so little that nobody waits long. */
const mostRuns = 32;
const mostCharacters = 256 * 1024;
const longestQueue = 1_000;

interface Line {
  readonly queue: Waiting[];
  /** Batches on their way. */
  running: number;
}

/**
 * An expression takes some 30 µs and the way to the process and back as much again at both ends, so those that wait
 * share it. What a batch breaks is found by evaluating its expressions one by one, each under its own limits: an
 * expression has no effect but its result.
 *
 * @param parallel - batches of one room that may be on their way at once
 */
export function expressionBatches(
  send: (runs: readonly ProcessRun[], terms: ExpressionTerms) => Promise<RunOutcome[]>,
  parallel: number,
): ExpressionBatches {
  const lines = new Map<string, Line>();

  async function alone(run: ProcessRun, terms: ExpressionTerms): Promise<RunOutcome> {
    const [outcome] = await send([run], terms);
    return outcome!;
  }

  async function drain(key: string, line: Line): Promise<void> {
    line.running += 1;
    // Whatever arrives in the same turn of the event loop belongs to the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (line.queue.length > 0) await settle(takeBatch(line.queue));
    line.running -= 1;
    if (line.running === 0) lines.delete(key);
  }

  async function settle(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    if (batch.length === 1) {
      await alone(first.run, first.terms).then(first.resolve, first.reject);
      return;
    }
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    for (const { terms } of batch) terms.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const terms = { ...first.terms, signal: stop.signal };
      const outcomes = await send(
        batch.map(({ run }) => run),
        terms,
      );
      for (const [index, waiting] of batch.entries()) waiting.resolve(outcomes[index]!);
    } catch {
      await Promise.all(
        batch.map(({ run, terms, resolve, reject }) => alone(run, terms).then(resolve, reject)),
      );
    } finally {
      for (const { terms } of batch) terms.signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    evaluate(run, terms) {
      if (terms.room === undefined) return alone(run, terms);
      const key = `${terms.room} ${terms.timeoutMs}`;
      const line = lines.get(key) ?? { queue: [], running: 0 };
      if (line.queue.length >= longestQueue) {
        return Promise.reject(new AppError('sandbox_busy', { waiting: line.queue.length }));
      }
      lines.set(key, line);
      const waiting = { ...Promise.withResolvers<RunOutcome>(), run, terms };
      line.queue.push(waiting);
      if (line.running < parallel) void drain(key, line);
      return waiting.promise;
    },
  };
}

/** The next few that nobody has given up. */
function takeBatch(queue: Waiting[]): Waiting[] {
  let characters = 0;
  let count = 0;
  for (const { run } of queue) {
    characters += run.source.length + run.input.length;
    if (count > 0 && (count === mostRuns || characters > mostCharacters)) break;
    count += 1;
  }
  return queue.splice(0, count).filter(({ terms: { signal }, reject }) => {
    if (signal?.aborted === true) reject(signal.reason);
    return signal?.aborted !== true;
  });
}
