import type { JournalRow, StoredValue } from '#db/journal-flush';
import type { JournalStatus } from '#db/schema';
import type { PinnedOutput } from '#domain/workflow-document';
import { errorJson, failureBody } from '#engine/run/node-failure';
import { defaultPort, type FinishedOutcome, type NodeFailure } from '#engine/nodes/node-type';
import { terminate } from '#engine/run/run-terminate';
import { failureAt, haltFrame, type Frame, type Left, type RunState } from '#engine/run/run-state';
import { sizeProblem, storedValue } from '#engine/stored-value';
import type { PlanNode } from '#engine/plan/workflow-plan';

/** A line that a node wrote to its console. */
export interface ConsoleLine {
  readonly level: string;
  readonly text: string;
}

/** How a node ended, as the journal takes it. Without a port the frame goes no further from here. */
export interface Ended {
  readonly status: JournalStatus;
  readonly port?: string;
  readonly statusCode?: number | undefined;
  readonly input?: unknown;
  readonly output?: StoredValue;
  readonly error?: string;
  readonly console?: readonly ConsoleLine[];
}

type RowContent = Omit<JournalRow, 'executionId' | 'seq' | 'tenant' | 'nodeId' | 'batch' | 'attempt' | 'at'>;

/** A row of the run; the recorder numbers it. */
export function journalRow(
  run: RunState,
  node: PlanNode,
  where: { readonly batch: string; readonly attempt: number; readonly at: Date },
  content: RowContent,
): JournalRow {
  const { tenant, facts } = run.input;
  return {
    executionId: facts.executionId,
    seq: 0,
    tenant,
    nodeId: node.id,
    ...where,
    ...content,
  };
}

/** Notes what a node did, for the templates of those that follow. */
export function keepResult(
  frame: Frame,
  node: PlanNode,
  status: string,
  body: unknown,
  statusCode?: number,
): void {
  frame.results.set(node.id, {
    status,
    node_id: node.id,
    node_name: node.name,
    body,
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
  });
}

/** Takes the result that a test run gives to a node instead of running it. */
export function takePinned(
  run: RunState,
  frame: Frame,
  node: PlanNode,
  { output: body, port = defaultPort }: PinnedOutput,
): Left | undefined {
  const attempt = { number: 1, startedAt: run.deps.clock.now() };
  const outcome: FinishedOutcome =
    node.type === 'response' ? { kind: 'respond', body, statusCode: 200 } : { kind: 'done', body, port };
  const lines = [{ level: 'info', text: 'It did not run: its pinned output was taken.' }];
  return finish(run, frame, node, attempt, undefined, outcome, lines);
}

/** Draws the consequences of an outcome for the frame and the run, and writes it. */
export function finish(
  run: RunState,
  frame: Frame,
  node: PlanNode,
  attempt: { readonly number: number; readonly startedAt: Date },
  logged: unknown,
  outcome: FinishedOutcome,
  console: readonly ConsoleLine[] = [],
): Left | undefined {
  const ended = endingOf(run, frame, node, outcome);
  return record(run, frame, node, attempt, { ...ended, input: logged, console });
}

function endingOf(run: RunState, frame: Frame, node: PlanNode, outcome: FinishedOutcome): Ended {
  if (outcome.kind === 'failed') return failureEnding(run, frame, node, outcome.failure);
  if (outcome.kind === 'terminated') {
    terminate(run, frame, node, outcome);
    return {
      status: outcome.result === 'error' ? 'errored' : outcome.result,
      output: storedValue(outcome.body),
      statusCode: outcome.body.statusCode,
    };
  }
  const output = storedValue(outcome.body);
  const problem = sizeProblem(output);
  if (problem !== undefined) return failureEnding(run, frame, node, { message: problem, retry: 'never' });
  const isResponse = outcome.kind === 'respond';
  const statusCode = isResponse ? outcome.statusCode : outcome.status;
  keepResult(frame, node, 'Success', outcome.body, statusCode);
  if (isResponse) {
    run.response ??= { nodeId: node.id, body: outcome.body, statusCode: outcome.statusCode };
  }
  return { status: 'success', port: isResponse ? defaultPort : outcome.port, output, statusCode };
}

/** A failure that is skipped leaves by the ordinary port: a node that chooses has chosen nothing. */
function failureEnding(run: RunState, frame: Frame, node: PlanNode, reason: NodeFailure): Ended {
  const error = errorJson(reason);
  if (node.isSkippedOnError) {
    keepResult(frame, node, 'Errored', failureBody(reason), reason.status);
    return { status: 'errored_and_skipped', port: defaultPort, error, statusCode: reason.status };
  }
  haltFrame(run, frame, { failure: failureAt(node, reason) });
  return { status: 'errored', error, statusCode: reason.status };
}

/** Writes the outcome; nobody waits here, the next call to the outside or the end of the run does. */
export function record(
  run: RunState,
  frame: Frame,
  node: PlanNode,
  attempt: { readonly number: number; readonly startedAt: Date },
  ended: Ended,
): Left | undefined {
  const at = run.deps.clock.now();
  const write = (): void =>
    run.journal.add(
      journalRow(
        run,
        node,
        { batch: frame.batch, attempt: attempt.number, at },
        {
          kind: 'outcome',
          status: ended.status,
          port: ended.port,
          statusCode: ended.statusCode,
          durationMs: at.getTime() - attempt.startedAt.getTime(),
          input: ended.input === undefined ? undefined : storedValue(ended.input),
          output: ended.output,
          error: ended.error,
          console: consoleJson(ended.console),
        },
      ),
    );
  if (frame.heldRows === undefined) write();
  else frame.heldRows.push(write);
  return ended.port === undefined ? undefined : { node, port: ended.port };
}

/** What becomes of a node that was under way when its run or its frame was halted. */
export function haltedStatus(run: RunState): 'stopped' | 'timed_out' | 'terminated' {
  if (run.halt === 'timed_out') return 'timed_out';
  return run.halt === 'terminated' || run.halt === 'completed' ? 'terminated' : 'stopped';
}

export function consoleJson(lines: readonly ConsoleLine[] | undefined): string | undefined {
  return lines === undefined || lines.length === 0 ? undefined : JSON.stringify(lines);
}
