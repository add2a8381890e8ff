import { batchPath } from '#db/batch-journal';
import { render } from '#domain/template';
import { breakChecks, goesOn } from '#engine/run/loop-conditions';
import { loopPace } from '#engine/run/loop-pace';
import { loopTally, type LoopTally } from '#engine/run/loop-tally';
import { errorJson, failureOf } from '#engine/run/node-failure';
import type { LoopSettings } from '#engine/nodes/loop';
import { defaultPort, failed, type NodeFailure } from '#engine/nodes/node-type';
import type { HistoryEntry } from '#engine/run/run-history';
import { openFrame, walkFrame, type FrameEnd } from '#engine/run/run-frame';
import { finish, haltedStatus, journalRow, keepResult, record } from '#engine/run/run-record';
import { innerScope, type NodeResult } from '#engine/run/run-scope';
import { urlsIn } from '#engine/run/run-urls';
import { haltFrame, isHalted, type Container, type Frame, type Left } from '#engine/run/run-state';
import { sizeProblem, storedValue } from '#engine/stored-value';

/** So many iterations of a body without effects keep the rows of their nodes; later ones only if they fail. */
const fullyLogged = 100;
/** What the row of an iteration says when the loop is not to go on after it. */
const endPort = 'end';

interface Loop {
  readonly container: Container<LoopSettings>;
  /** Rows of iterations that another worker had begun, by path. */
  readonly open: ReadonlyMap<string, readonly HistoryEntry[]>;
  /** Iterations that ended before this worker came. */
  readonly done: ReadonlySet<number>;
  readonly tally: LoopTally;
  /** The first iteration that nobody has looked at. */
  next: number;
  /** No more iterations, whatever the list holds. */
  isOver: boolean;
  /** Why it is over, when that is a failure. */
  failure: NodeFailure | undefined;
  /** What the iteration before gave, for a do-while loop. */
  previous: unknown;
}

/**
 * Runs the body once an item, at most `concurrent_batches` at a time, begun in order. An iteration that failed
 * stops no other. Nothing of an iteration stays in memory but its place in the counts, unless a template of the
 * workflow reads the results.
 */
export async function runLoop(container: Container<LoopSettings>): Promise<Left | undefined> {
  const { run, frame, node, settings, attempt } = container;
  const loop = await openLoop(container);
  loop.failure ??= loopProblem(loop);
  if (loop.failure === undefined) {
    if (settings.mode !== 'do_while') run.batches += settings.count - loop.done.size;
    const lanes = settings.mode === 'do_while' ? 1 : Math.min(settings.concurrent_batches, settings.count);
    const pace = loopPace(run);
    await Promise.all(Array.from({ length: lanes }, () => runLane(loop, pace)));
  }
  if (isHalted(run, frame)) {
    if (run.halt === 'left') return undefined;
    const output = storedValue(loop.tally.body(totalOf(loop), loop.next));
    return record(run, frame, node, attempt, { status: haltedStatus(run), output });
  }
  return endLoop(loop);
}

/** A new loop, or one that the journal knows. */
async function openLoop(container: Container<LoopSettings>): Promise<Loop> {
  const { run, frame, node } = container;
  const place = { executionId: run.input.facts.executionId, nodeId: node.id, batch: frame.batch };
  const past = container.isBegun ? await run.hold(run.deps.pasts.loop(place)) : undefined;
  const open = Map.groupBy(run.journal.recall(past?.open ?? []), (entry) => entry.batch);
  const tally = loopTally(past, run.input.plan.readLoops.has(node.id));
  if (past !== undefined && past.succeeded.length > 0 && tally.isKept) {
    for (const { batchIndex, output } of await run.hold(run.deps.pasts.outputs(place))) {
      tally.restore(batchIndex ?? 0, output);
    }
  }
  const { endedBy } = past ?? {};
  return {
    container,
    open,
    done: new Set([...(past?.succeeded ?? []), ...(past?.failed ?? [])]),
    tally,
    next: 0,
    isOver: endedBy !== undefined,
    failure: endedBy?.message === undefined ? undefined : { message: endedBy.message, retry: 'never' },
    previous: past?.last?.output ?? null,
  };
}

/** What no iteration could mend. */
function loopProblem({ container, done }: Loop): NodeFailure | undefined {
  const { run, node, settings } = container;
  if (settings.mode !== 'do_while') {
    return limitProblem(run.batches + settings.count - done.size, run.deps.batchLimit);
  }
  if (node.inside['while'] !== undefined || node.inside['break_cases'] !== undefined) return undefined;
  return { message: 'while: a do-while loop needs "while" conditions or "break_cases"', retry: 'never' };
}

function limitProblem(wanted: number, limit: number): NodeFailure | undefined {
  if (wanted <= limit) return undefined;
  return {
    message: `The execution would have ${wanted} iterations with this loop; one execution may have ${limit}, those of loops inside loops counted too. Split the list over several executions, or have the limit raised.`,
    retry: 'never',
  };
}

/** One after another, the iterations that nobody has begun. */
async function runLane(loop: Loop, pace: () => Promise<void> | undefined): Promise<void> {
  const { run, frame, settings } = loop.container;
  const isEndless = settings.mode === 'do_while';
  const count = isEndless ? Infinity : settings.count;
  while (!loop.isOver && loop.next < count && !isHalted(run, frame)) {
    const index = loop.next;
    if (loop.done.has(index)) {
      loop.next += 1;
      continue;
    }
    if (isEndless) {
      loop.failure = limitProblem(run.batches + 1, run.deps.batchLimit);
      if (loop.failure !== undefined) return;
      run.batches += 1;
    }
    loop.next += 1;
    await runIteration(loop, index);
    const pause = pace();
    if (pause !== undefined) await run.hold(pause);
  }
}

async function runIteration(loop: Loop, index: number): Promise<void> {
  const { run, node } = loop.container;
  const startedAt = run.deps.clock.now();
  const { frame, isBroken } = openIteration(loop, index);
  const end = await walkFrame(run, frame);
  if (run.halt === 'left') return;
  const ended = endingOf(loop, frame, end, isBroken);
  if (ended.status === 'success') loop.tally.succeed(index, ended.body, ended.output);
  else if (ended.status === 'errored') loop.tally.fail(index, ended.failure.message);
  if (ended.status === 'success') loop.previous = ended.body;
  else for (const write of frame.heldRows ?? []) write();
  if (ended.isLast) loop.isOver = true;
  const at = run.deps.clock.now();
  run.journal.add(
    journalRow(
      run,
      node,
      { batch: frame.batch, attempt: 1, at },
      {
        kind: 'batch',
        batchIndex: index,
        status: ended.status,
        port: ended.isLast ? endPort : undefined,
        durationMs: at.getTime() - startedAt.getTime(),
        output: ended.status === 'success' ? ended.output : undefined,
        error: ended.status === 'errored' ? errorJson(ended.failure) : undefined,
      },
    ),
  );
}

function openIteration(loop: Loop, index: number): { frame: Frame; isBroken: () => boolean } {
  const { run, frame: around, node, settings } = loop.container;
  const body = node.regions['body']!;
  const batch = batchPath({ nodeId: node.id, batch: around.batch }, index);
  const results = new Map<string, NodeResult>();
  const position = { index, iteration_number: index + 1 };
  const values =
    settings.mode === 'do_while'
      ? { loop: { ...position, iteration_count: index + 1, previous: loop.previous } }
      : { loop: { ...position, iteration_count: settings.count } };
  const isBreak = settings.mode === 'do_while' ? breakChecks(node) : undefined;
  let isBroken = false;
  const frame = openFrame(run, body, {
    kind: 'loop',
    batch,
    keyPath: batchPath({ nodeId: node.id, batch: around.keyPath }, index),
    within: around,
    results,
    scope: innerScope(
      around.scope,
      results,
      { ...values, ...(settings.mode === 'array' ? { array_item: settings.items[index] } : {}) },
      urlsIn(run, body, batch),
    ),
    history: loop.open.get(batch) ?? [],
    holdsRows: body.isPure && index >= fullyLogged,
    onNodeSettled:
      isBreak &&
      (() => {
        if (isBroken || isHalted(run, frame) || !isBreak(frame, 'so_far')) return;
        isBroken = true;
        haltFrame(run, frame, {});
      }),
  });
  return { frame, isBroken: () => isBroken || (isBreak?.(frame, 'at_end') ?? false) };
}

type IterationEnd = { readonly isLast: boolean } & (
  | { readonly status: 'success'; readonly body: unknown; readonly output: ReturnType<typeof storedValue> }
  | { readonly status: 'errored'; readonly failure: Pick<NodeFailure, 'message' | 'status' | 'body'> }
  | { readonly status: ReturnType<typeof haltedStatus> }
);

function endingOf(loop: Loop, frame: Frame, end: FrameEnd, isBroken: () => boolean): IterationEnd {
  const { run, node, settings } = loop.container;
  if (end.kind === 'halted') return { status: haltedStatus(run), isLast: false };
  const endsLoop = end.kind === 'broken_off' && end.endsLoop === true;
  if (end.kind === 'broken_off' && end.failure !== undefined) {
    if (endsLoop) loop.failure = { ...end.failure, retry: 'never' };
    // Nobody knows what its conditions would say of an iteration that did not do its work.
    return { status: 'errored', failure: end.failure, isLast: endsLoop || settings.mode === 'do_while' };
  }
  try {
    const { output_data: template } = node.inside;
    const body = template === undefined ? lastBody(frame) : render(template, frame.scope);
    const output = storedValue(body);
    const problem = sizeProblem(output);
    if (problem !== undefined) return { status: 'errored', failure: { message: problem }, isLast: endsLoop };
    const isLast = endsLoop || (settings.mode === 'do_while' && (isBroken() || !goesOn(node, frame)));
    return { status: 'success', body, output, isLast };
  } catch (error) {
    return { status: 'errored', failure: failureOf(error), isLast: endsLoop || settings.mode === 'do_while' };
  }
}

/** Without output data an iteration gives what the last node of the drawing gave that leads nowhere and ran. */
function lastBody({ walk, results }: Frame): unknown {
  const last = walk.graph.nodes.findLast((node) => node.out.length === 0 && results.has(node.id));
  return last === undefined ? null : (results.get(last.id)?.body ?? null);
}

function totalOf({ container: { settings }, tally, next }: Loop): number {
  return settings.mode === 'do_while' ? Math.max(next, tally.succeeded + tally.failed) : settings.count;
}

function endLoop(loop: Loop): Left | undefined {
  const { run, frame, node, settings, attempt } = loop.container;
  const { tally } = loop;
  const body = tally.body(totalOf(loop), loop.next);
  const reason =
    loop.failure ??
    (settings.allow_partial_success ? undefined : tally.failure(totalOf(loop))) ??
    tally.problem;
  if (reason !== undefined) {
    return finish(run, frame, node, attempt, undefined, failed({ ...reason, retry: 'never', body }));
  }
  const isPartial = tally.failed > 0;
  keepResult(frame, node, isPartial ? 'Partially_Successful' : 'Success', body);
  const status = isPartial ? 'partially_successful' : 'success';
  return record(run, frame, node, attempt, { status, port: defaultPort, output: storedValue(body) });
}
