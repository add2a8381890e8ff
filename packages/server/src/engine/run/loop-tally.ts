import type { StoredValue } from '#db/journal-flush';
import type { LoopPast } from '#engine/run/container-past';
import type { NodeFailure } from '#engine/nodes/node-type';
import { largestValue, sizeOf } from '#engine/stored-value';

/** So much of results is kept for the log, though no template reads them. */
const keptForTheLog = 64 * 1024;

/** What a loop remembers of its iterations: counts, and their results as long as somebody has use for them. */
export interface LoopTally {
  readonly succeeded: number;
  readonly failed: number;
  /** Results are being kept. */
  readonly isKept: boolean;
  succeed(index: number, body: unknown, stored: StoredValue): void;
  /** A result that the journal holds. */
  restore(index: number, body: unknown): void;
  fail(index: number, message: string): void;
  /** Why the results cannot be handed on, though a template wants them. */
  readonly problem: Pick<NodeFailure, 'message'> | undefined;
  /** What is wrong with the loop when none of its iterations may fail. */
  failure(total: number): Pick<NodeFailure, 'message'> | undefined;
  /** The body of the loop's result. The result of an iteration that failed is null. */
  body(total: number, started: number): Record<string, unknown>;
}

/** @param isRead - some template of the workflow reads the results */
export function loopTally(past: LoopPast | undefined, isRead: boolean): LoopTally {
  let succeeded = past?.succeeded.length ?? 0;
  let failed = past?.failed.length ?? 0;
  let first = past?.firstFailure;
  let bytes = 0;
  let results: unknown[] | undefined = [];

  function keep(index: number, body: unknown, size: number): void {
    bytes += size;
    if (bytes > (isRead ? largestValue : keptForTheLog)) results = undefined;
    if (results !== undefined) results[index] = body;
  }

  return {
    get succeeded() {
      return succeeded;
    },
    get failed() {
      return failed;
    },
    get isKept() {
      return results !== undefined;
    },
    succeed(index, body, stored) {
      succeeded += 1;
      keep(index, body, sizeOf(stored));
    },
    restore: (index, body) => keep(index, body, JSON.stringify(body)?.length ?? 4),
    fail(index, message) {
      failed += 1;
      if (first === undefined || index < first.index) first = { index, message };
    },
    get problem() {
      if (results !== undefined || !isRead) return undefined;
      return {
        message: `The results of its iterations come to more than ${largestValue / 1024 / 1024} MiB of JSON, which is what a node may hand on. All iterations have run. Give the loop less output data, or read only its counts.`,
      };
    },
    failure(total) {
      if (first === undefined) return undefined;
      return {
        message: `${failed} of ${total} iterations failed. The first, iteration ${first.index + 1}: ${first.message}`,
      };
    },
    body(total, started) {
      const kept = results;
      return {
        ...(kept !== undefined && {
          loop_results: Array.from({ length: Math.min(started, total) }, (_, index) => kept[index] ?? null),
        }),
        total_iterations: total,
        successful_iterations: succeeded,
        failed_iterations: failed,
        ...(started < total && { not_started_iterations: total - started }),
      };
    },
  };
}
