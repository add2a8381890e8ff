import type { EndState } from '#db/journal-flush';
import type { StoredWait } from '#db/wait';
import { customFieldValues } from '#engine/run/custom-field-values';
import { LeaseLostError } from '#engine/journal';
import { defaultPort } from '#engine/nodes/node-type';
import type { RunRecorder } from '#engine/recording/run-recorder';
import { runContainer } from '#engine/run/run-container';
import { faultOf, isRefusal, refusalOf, type RunFault } from '#engine/run/run-fault';
import { newFrame, replay, walkFrame } from '#engine/run/run-frame';
import { runNode } from '#engine/run/run-node';
import { keepResult, takePinned } from '#engine/run/run-record';
import { runScope, type NodeResult } from '#engine/run/run-scope';
import { urlsOf } from '#engine/run/run-urls';
import {
  haltRun,
  type Frame,
  type RunDeps,
  type RunFailure,
  type RunHalt,
  type RunInput,
  type RunResponse,
  type RunState,
} from '#engine/run/run-state';
import { runWaits } from '#engine/run/run-waits';
import { openWaitPayload } from '#engine/wait/wait-payloads';
import { leave } from '#engine/plan/walk';
import type { PlanNode } from '#engine/plan/workflow-plan';

export interface RunResult {
  /** `left`: another worker or a later time continues it. */
  readonly state: RunHalt;
  readonly response?: Omit<RunResponse, 'nodeId'> | undefined;
  readonly failure?: RunFailure | undefined;
  /** Only of `left`: it is this worker's still, which gives it back to be tried again. */
  readonly fault?: RunFault | undefined;
}

/** One execution that this worker owns and walks. */
export interface Run {
  readonly executionId: string;
  /** The linked account: the unit of fairness. */
  readonly group: string;
  readonly isSubFlow: boolean;
  readonly finished: Promise<RunResult>;
  /** Ends it as stopped: nothing new starts, calls in flight are aborted. */
  stop(): void;
  /** Ends it as timed out. */
  timeOut(): void;
  /** Hands over a wait that was woken. False: the run is on its way out, and whoever has it next will see the wait. */
  wake(wait: StoredWait): boolean;
  /** Lets go without writing anything: the lease is lost. */
  abandon(): void;
  /** What it has added to the journal cannot be written. */
  breakOff(error: unknown): void;
}

/**
 * Walks an execution from where its journal ends to its own end. The run walks the workflow's own graph as its
 * outermost frame; each container opens frames of its own inside.
 */
export function startRun(deps: RunDeps, journal: RunRecorder, input: RunInput): Run {
  const { plan, facts } = input;
  const { executionId } = facts;
  let isEnding = false;
  /** Work that keeps the run in memory: whatever is under way and does not wait. */
  let active = 0;
  let fault: RunFault | undefined;

  const run: RunState = {
    deps,
    input,
    journal,
    abort: new AbortController(),
    waits: runWaits({
      tenant: input.tenant,
      executionId,
      stored: input.waits,
      write: (wait) => deps.suspension.write(wait),
      payloadOf: (wait) => openWaitPayload(deps.vault, wait),
      // A run that is let go waits on, here or elsewhere.
      onDropped: (dropped) => {
        if (run.halt !== 'left') deps.suspension.drop(input.tenant, dropped);
      },
      onParked: () => becomeActive(-1),
      onUnparked: () => becomeActive(1),
    }),
    step: (frame, node) =>
      node.pinned !== undefined
        ? Promise.resolve(takePinned(run, frame, node, node.pinned))
        : deps.registry.get(node.type)?.container === undefined
          ? run.hold(runNode(run, frame, node))
          : runContainer(run, frame, node),
    hold: async (work) => {
      becomeActive(1);
      try {
        return await work;
      } finally {
        becomeActive(-1);
      }
    },
    onBroken,
    halt: undefined,
    failure: undefined,
    response: input.response,
    batches: input.batches,
  };
  const root = openRoot(run);
  const finished = walkFrame(run, root).then(end);

  function becomeActive(by: 1 | -1): void {
    active += by;
    // Whatever follows at once from what has just ended has begun by then.
    if (active === 0 && run.waits.size > 0) setImmediate(leaveIfIdle);
  }

  /** Everything under way waits: the run leaves memory. */
  function leaveIfIdle(): void {
    if (active > 0 || isEnding || run.halt !== undefined || run.waits.size === 0) return;
    isEnding = true;
    deps.suspension.leave(executionId, run.waits.consumed).then(
      (isLeft) => haltRun(run, isLeft ? 'left' : 'stopped'),
      (error: unknown) => onBroken(error),
    );
  }

  /**
   * The run cannot be walked or recorded. Only what the database will never take ends it; after everything else it
   * is let go as it stands in the journal, and goes on from there later.
   */
  function onBroken(error: unknown, node?: PlanNode): void {
    if (error instanceof LeaseLostError) {
      abandon();
      return;
    }
    deps.log.error({ err: error, executionId, nodeId: node?.id }, 'A run broke.');
    if (isRefusal(error)) {
      haltRun(run, 'errored', refusalOf(error, node, plan));
    } else {
      fault ??= faultOf(error, node, plan);
      abandon();
    }
  }

  async function end(): Promise<RunResult> {
    isEnding = true;
    const failure = run.halt === undefined ? root.halt?.failure : run.failure;
    const ended = await writeEnd(run.halt ?? (failure === undefined ? 'completed' : 'errored'), failure);
    // Somebody else has it: what this process thinks of it counts for nothing.
    return ended === undefined
      ? { state: 'left', fault: journal.shown(fault) }
      : { state: ended.state, response: run.response, failure: journal.shown(ended.failure) };
  }

  interface End {
    readonly state: EndState;
    readonly failure: RunFailure | undefined;
  }

  /** Undefined: it could not be written, and the run goes on later from what is in the journal. */
  async function writeEnd(state: RunHalt, failure: RunFailure | undefined): Promise<End | undefined> {
    if (state === 'left') return undefined;
    try {
      try {
        await recordEnd({ state, failure });
        return { state, failure };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // What led to this end is not in the journal, so it did not happen; that it failed can be written.
        const refused = { state: 'errored', failure: refusalOf(error, undefined, plan) } as const;
        await recordEnd(refused);
        return refused;
      }
    } catch (error) {
      if (error instanceof LeaseLostError) return undefined;
      deps.log.error({ err: error, executionId }, 'A run could not end.');
      fault ??= faultOf(error, undefined, plan);
      return undefined;
    }
  }

  async function recordEnd({ state, failure }: End): Promise<void> {
    await journal.end({
      executionId,
      state,
      responseNodeId: run.response?.nodeId,
      statusCode: run.response?.statusCode,
      failedNodeId: failure?.nodeId,
      errorText: failure?.message.replaceAll('\u0000', '').toWellFormed(),
      customFields: customFieldValues(plan.customFields, root.scope),
      nodeCount: plan.nodes.length,
      finishedNodeCount: root.walk.settled,
      at: deps.clock.now(),
    });
    if (run.waits.wereUsed) deps.suspension.forget(input.tenant, executionId);
  }

  function haltAtOnce(reason: RunHalt): void {
    if (isEnding) return;
    haltRun(run, reason);
    run.abort.abort();
  }

  function abandon(): void {
    haltRun(run, 'left');
    run.abort.abort();
  }

  return {
    executionId,
    group: input.linkedAccountId,
    isSubFlow: input.isSubFlow,
    finished,
    stop: () => haltAtOnce('stopped'),
    abandon,
    breakOff: (error) => onBroken(error),
    wake: (wait) => !isEnding && run.halt === undefined && run.waits.deliver(wait),
    timeOut() {
      haltAtOnce('timed_out');
    },
  };
}

/** The outermost frame, as far as the journal has come. */
function openRoot(run: RunState): Frame {
  const { plan, facts, history, isStopRequested } = run.input;
  const results = new Map<string, NodeResult>();
  const root = newFrame(plan, {
    kind: 'root',
    batch: '',
    keyPath: '',
    within: undefined,
    results,
    scope: runScope(plan, facts, results, (nodeId) => urlsOf(run, nodeId)),
    history: history.filter((entry) => entry.batch === ''),
  });
  const startNode = plan.nodes[plan.start]!;
  keepResult(root, startNode, 'Success', facts.payload);
  leave(root.walk, plan.start, defaultPort);
  replay(run, root);
  if (isStopRequested) haltRun(run, 'stopped');
  return root;
}
