import { failureBody } from '#engine/run/node-failure';
import type { HistoryEntry } from '#engine/run/run-history';
import { keepResult } from '#engine/run/run-record';
import {
  failureAt,
  haltFrame,
  haltRun,
  isHalted,
  type Frame,
  type FrameHalt,
  type Left,
  type RunState,
} from '#engine/run/run-state';
import { readTermination, terminate } from '#engine/run/run-terminate';
import { beginWalk, leave, readyNodes } from '#engine/plan/walk';
import type { PlanGraph, PlanNode } from '#engine/plan/workflow-plan';

/** How a frame ended. `halted`: because something around it did, so nothing is to be concluded from it. */
export type FrameEnd =
  { readonly kind: 'done' } | ({ readonly kind: 'broken_off' } & FrameHalt) | { readonly kind: 'halted' };

type FrameParts = Omit<Frame, 'walk' | 'halt' | 'heldRows'> & { readonly holdsRows?: boolean };

/** Begins a frame, or takes it up where its rows in the journal end. */
export function openFrame(run: RunState, graph: PlanGraph, parts: FrameParts): Frame {
  const frame = newFrame(graph, parts);
  replay(run, frame);
  return frame;
}

export function newFrame(graph: PlanGraph, { holdsRows, ...parts }: FrameParts): Frame {
  return {
    ...parts,
    walk: beginWalk(graph),
    halt: undefined,
    heldRows: holdsRows === true ? [] : undefined,
  };
}

/** Takes over the outcomes that are in the journal already, and what was ended from further inside. */
export function replay(run: RunState, frame: Frame): void {
  for (const entry of withTerminations(run, frame)) {
    if (entry.kind !== 'outcome' || entry.status === 'retrying') continue;
    const node = frame.walk.graph.nodes.find(({ id }) => id === entry.nodeId);
    if (entry.batch !== frame.batch) replayTermination(run, frame, entry);
    else if (node !== undefined) leave(frame.walk, node.index, replayed(run, frame, node, entry));
  }
}

/** The rows of a frame in order, with those of Terminate nodes in containers of it that ended it. */
function withTerminations({ input }: RunState, frame: Frame): readonly HistoryEntry[] {
  const inside = frame.kind === 'root' || frame.kind === 'loop' ? input.terminations.get(frame.batch) : [];
  if (inside === undefined || inside.length === 0) return frame.history;
  const further = inside.filter((entry) => entry.batch !== frame.batch);
  return [...frame.history, ...further].sort((a, b) => a.seq - b.seq);
}

function replayTermination(run: RunState, frame: Frame, entry: HistoryEntry): void {
  const node = run.input.plan.byId.get(entry.nodeId);
  const termination = node && readTermination(node, entry);
  if (node !== undefined && termination !== undefined) terminate(run, frame, node, termination);
}

/** Draws the same consequences as the worker did that wrote the row. Returns the port that the node left by. */
function replayed(run: RunState, frame: Frame, node: PlanNode, entry: HistoryEntry): string | undefined {
  const { status, output, error } = entry;
  const statusCode = entry.statusCode ?? undefined;
  const termination = readTermination(node, entry);
  if (termination !== undefined) {
    terminate(run, frame, node, termination);
  } else if (status === 'errored') {
    haltFrame(run, frame, { failure: failureAt(node, error ?? { message: 'The node failed.' }) });
  } else if (status === 'success' || status === 'partially_successful') {
    keepResult(frame, node, status === 'success' ? 'Success' : 'Partially_Successful', output, statusCode);
    if (node.type === 'response')
      run.response ??= { nodeId: node.id, body: output, statusCode: statusCode ?? 200 };
  } else if (status === 'timed_out') {
    haltRun(run, 'timed_out');
  } else if (status === 'rejected') {
    keepResult(frame, node, 'Rejected', null);
  } else if (status === 'errored_and_skipped') {
    keepResult(frame, node, 'Errored', failureBody(error ?? { message: '' }), statusCode);
  }
  return entry.port ?? undefined;
}

/** Runs the nodes of a frame as their edges allow, and resolves when none of them is under way any more. */
export function walkFrame(run: RunState, frame: Frame): Promise<FrameEnd> {
  const over = Promise.withResolvers<FrameEnd>();
  let inFlight = 0;

  function dispatch(ready: readonly number[]): void {
    if (!isHalted(run, frame)) {
      inFlight += ready.length;
      for (const index of ready) {
        const node = frame.walk.graph.nodes[index]!;
        run.step(frame, node).then(settled, (error: unknown) => broke(error, node));
      }
    }
    if (inFlight === 0) over.resolve(endOf(run, frame));
  }

  function settled(left: Left | undefined): void {
    inFlight -= 1;
    const ready = left === undefined ? [] : leave(frame.walk, left.node.index, left.port);
    frame.onNodeSettled?.();
    dispatch(ready);
  }

  function broke(error: unknown, node: PlanNode): void {
    inFlight -= 1;
    run.onBroken(error, node);
    dispatch([]);
  }

  dispatch(readyNodes(frame.walk));
  return over.promise;
}

function endOf(run: RunState, frame: Frame): FrameEnd {
  if (run.halt !== undefined || isHalted(run, frame.within)) return { kind: 'halted' };
  return frame.halt === undefined ? { kind: 'done' } : { kind: 'broken_off', ...frame.halt };
}
