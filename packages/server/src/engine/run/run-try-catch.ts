import { batchPath } from '#db/batch-journal';
import { errorJson } from '#engine/run/node-failure';
import { defaultPort, failed } from '#engine/nodes/node-type';
import { nextAttemptInMs } from '#engine/run/retry-policy';
import type { HistoryEntry } from '#engine/run/run-history';
import { openFrame, walkFrame } from '#engine/run/run-frame';
import { waitUntil } from '#engine/run/run-node';
import { finish, haltedStatus, journalRow, keepResult, record } from '#engine/run/run-record';
import { innerScope, type NodeResult } from '#engine/run/run-scope';
import { urlsIn } from '#engine/run/run-urls';
import type { Container, Frame, Left, RunFailure } from '#engine/run/run-state';
import { storedValue } from '#engine/stored-value';

/** A try block that is being run. */
interface Block {
  readonly container: Container;
  /** Rows of the repetition that another worker had come to, try and catch. */
  readonly rows: readonly HistoryEntry[];
}

/** Why the try block failed; undefined: it went through. `halted`: nothing is known. */
type TryEnd = { readonly failure: RunFailure | undefined } | 'halted';

/**
 * Walks the try block, again as often as the node's own retry policy says, and after the last failure the catch
 * nodes: they read what the nodes of that repetition gave, and why it failed.
 */
export async function runTryCatch(container: Container): Promise<Left | undefined> {
  const { run, frame, node, isBegun } = container;
  const place = { executionId: run.input.facts.executionId, nodeId: node.id, batch: frame.batch };
  const past = isBegun ? await run.hold(run.deps.pasts.block(place)) : undefined;
  const block = { container, rows: run.journal.recall(past?.rows ?? []) };
  let ended = past?.last;
  let index = ended?.batchIndex ?? 0;
  if (ended?.status === 'retrying') {
    if (!(await pauseBefore(container, index + 1, ended.retryAt))) return halted(container);
    ended = undefined;
    index += 1;
  }
  for (; ; index += 1) {
    const tried = openTry(block, index);
    const startedAt = run.deps.clock.now();
    const end = ended === undefined ? await walkTry(container, tried) : endOfRow(ended);
    if (end === 'halted') return halted(container);
    const retryAt = ended === undefined ? nextTry(container, index, end.failure) : undefined;
    if (ended === undefined) recordTry(container, tried, { index, startedAt, failure: end.failure, retryAt });
    if (end.failure === undefined) return leaveBlock(container, 'success', 'The try block went through.');
    if (retryAt === undefined) return runCatch(block, tried, end.failure);
    if (!(await pauseBefore(container, index + 1, retryAt))) return halted(container);
  }
}

function openTry({ container, rows }: Block, index: number): Frame {
  const { run, frame: around, node } = container;
  const batch = batchPath({ nodeId: node.id, batch: around.batch }, index);
  const results = new Map<string, NodeResult>();
  return openFrame(run, node.regions['try']!, {
    kind: 'try',
    isRepeated: node.hasOwnRetry && index + 1 < node.retry.maxAttempts,
    batch,
    // A repetition is the same work once more: what was done in the one before must not be done twice.
    keyPath: batchPath({ nodeId: node.id, batch: around.keyPath }, 0),
    within: around,
    results,
    scope: innerScope(around.scope, results, {}, urlsIn(run, node.regions['try']!, batch)),
    history: rows.filter((entry) => entry.batch === batch),
  });
}

async function walkTry({ run }: Container, tried: Frame): Promise<TryEnd> {
  const end = await walkFrame(run, tried);
  return end.kind === 'halted' ? 'halted' : { failure: end.kind === 'broken_off' ? end.failure : undefined };
}

/** When to walk the block again; undefined: not at all. Without a policy of its own it is walked once. */
function nextTry({ run, node }: Container, index: number, failure: RunFailure | undefined): Date | undefined {
  if (failure === undefined || !node.hasOwnRetry) return undefined;
  const reason = { message: failure.message, retry: 'safe' } as const;
  const delayMs = nextAttemptInMs(node.retry, index + 1, reason, 'none', Math.random());
  return delayMs === undefined ? undefined : new Date(run.deps.clock.now().getTime() + delayMs);
}

function recordTry(
  { run, node }: Container,
  tried: Frame,
  end: {
    readonly index: number;
    readonly startedAt: Date;
    readonly failure: RunFailure | undefined;
    readonly retryAt: Date | undefined;
  },
): void {
  const at = run.deps.clock.now();
  const { failure } = end;
  run.journal.add(
    journalRow(
      run,
      node,
      { batch: tried.batch, attempt: 1, at },
      {
        kind: 'batch',
        batchIndex: end.index,
        status: failure === undefined ? 'success' : end.retryAt === undefined ? 'errored' : 'retrying',
        durationMs: at.getTime() - end.startedAt.getTime(),
        error: failure && errorJson(failure),
        output:
          failure && storedValue({ failed_node_id: failure.nodeId, failed_node_name: failure.nodeName }),
        retryAt: end.retryAt,
      },
    ),
  );
}

function endOfRow({ status, error, output }: HistoryEntry): TryEnd {
  if (status === 'success') return { failure: undefined };
  const of = output as { failed_node_id?: string; failed_node_name?: string } | null;
  const { message, ...rest } = error ?? { message: 'The try block failed.' };
  return {
    failure: { nodeId: of?.failed_node_id ?? '', nodeName: of?.failed_node_name ?? '', message, ...rest },
  };
}

/** False: the run or something around the block ends, or the run leaves memory. */
async function pauseBefore(container: Container, attempt: number, until: Date | null): Promise<boolean> {
  const { run, frame, node } = container;
  const stored = run.waits.find(node.id, frame.batch, frame.history);
  if (stored !== undefined) return (await run.hold(run.waits.rejoin(stored))) !== undefined;
  return until === null || (await run.hold(waitUntil(container, attempt, until)));
}

async function runCatch(block: Block, tried: Frame, failure: RunFailure): Promise<Left | undefined> {
  const { container, rows } = block;
  const { run, frame: around, node, attempt } = container;
  const region = node.regions['catch'];
  if (region === undefined) {
    const { nodeId: _id, nodeName: _name, ...reason } = failure;
    return finish(run, around, node, attempt, undefined, failed({ ...reason, retry: 'never' }));
  }
  const results = new Map<string, NodeResult>();
  const caught = whatFailed(failure);
  const body = { try_catch_result: 'caught', message: failure.message, ...caught };
  results.set(node.id, { status: 'Errored', node_id: node.id, node_name: node.name, body });
  const frame = openFrame(run, region, {
    kind: 'catch',
    batch: tried.batch,
    keyPath: tried.keyPath,
    within: around,
    results,
    scope: innerScope(tried.scope, results, caught, urlsIn(run, region, tried.batch)),
    history: rows.filter((entry) => entry.batch === tried.batch),
  });
  const end = await walkFrame(run, frame);
  if (end.kind === 'halted') return halted(container);
  if (end.kind === 'broken_off' && end.failure !== undefined) {
    const { nodeName, message, status, body: said } = end.failure;
    const reason = `The catch of "${node.name}" failed at "${nodeName}": ${message}`;
    const outcome = failed({
      message: reason,
      retry: 'never',
      ...(status !== undefined && { status }),
      body: said,
    });
    return finish(run, around, node, attempt, undefined, outcome);
  }
  return leaveBlock(container, 'caught', failure.message, caught);
}

/** What catch nodes read of the failure: also as plain `failed_node_id` and `error_message`. */
function whatFailed({ nodeId, message, status, body }: RunFailure): Readonly<Record<string, unknown>> {
  const detail = { message, ...(status !== undefined && { status }), ...(body !== undefined && { body }) };
  return { failed_node_id: nodeId, error_message: { message, error: [detail] } };
}

function leaveBlock(
  { run, frame, node, attempt }: Container,
  result: 'success' | 'caught',
  message: string,
  caught: Readonly<Record<string, unknown>> = {},
): Left | undefined {
  const body = { try_catch_result: result, message, ...caught };
  keepResult(frame, node, 'Success', body);
  const output = storedValue(body);
  return record(run, frame, node, attempt, { status: 'success', port: defaultPort, output });
}

function halted({ run, frame, node, attempt }: Container): undefined {
  if (run.halt !== 'left') record(run, frame, node, attempt, { status: haltedStatus(run) });
}
