import type { Logger } from 'pino';
import type { EndState, JournalRow, StoredValue } from '#db/journal-flush';
import type { ExecutionMode, JournalStatus } from '#db/schema';
import type { StoredWait } from '#db/wait';
import type { Clock } from '#domain/clock';
import type { Tenant } from '#domain/tenant';
import { callNode, pause } from '#engine/call-node';
import type { CrashHook } from '#engine/crash-points';
import { errorJson, failureBody, lostFailure } from '#engine/node-failure';
import type { NodeServices } from '#engine/node-services';
import type { NodeRegistry } from '#engine/nodes/index';
import {
  defaultPort,
  failed,
  type FinishedOutcome,
  type NodeFailure,
  type NodeOutcome,
  type NodeType,
  type Woken,
} from '#engine/nodes/node-type';
import { LeaseLostError } from '#engine/journal';
import { prepareNode, type ReadyNode } from '#engine/prepare-node';
import type { BareNodeContext, RunRecorder } from '#engine/recording/run-recorder';
import { nextAttemptInMs } from '#engine/retry-policy';
import { nodePast, type HistoryEntry } from '#engine/run-history';
import { runWaits } from '#engine/run-waits';
import { runScope, type NodeResult, type RunFacts } from '#engine/run-scope';
import { sizeProblem, storedValue } from '#engine/stored-value';
import type { Suspension } from '#engine/suspension';
import { beginWalk, isReady, leave } from '#engine/walk';
import type { Plan, PlanNode } from '#engine/workflow-plan';

export interface RunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: NodeRegistry;
  readonly services: NodeServices;
  readonly crash?: CrashHook | undefined;
  readonly suspension: Suspension;
}

export interface RunInput {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly appSlug: string | null;
  readonly mode: ExecutionMode;
  readonly deadlineAt: Date;
  readonly isStopRequested: boolean;
  /** A test of a draft. */
  readonly isTest: boolean;
  readonly facts: RunFacts;
  readonly plan: Plan;
  /** Rows after the first, which is the start node's. */
  readonly history: readonly HistoryEntry[];
  /** Nodes that wait or waited when the run was given to this worker. */
  readonly waits: readonly StoredWait[];
}

export interface RunResult {
  /** `left`: another worker or a later time continues it. */
  readonly state: EndState | 'left';
  readonly response?: { readonly body: unknown; readonly statusCode: number } | undefined;
  readonly failure?: RunFailure | undefined;
}

interface RunFailure {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly message: string;
  readonly status?: number;
  readonly body?: unknown;
}

/** One execution that this worker owns and walks. */
export interface Run {
  readonly executionId: string;
  /** The linked account: the unit of fairness. */
  readonly group: string;
  readonly finished: Promise<RunResult>;
  /** Ends it as stopped: nothing new starts, calls in flight are aborted. */
  stop(): void;
  /** Ends it as timed out when its deadline has passed. */
  checkDeadline(now: Date): void;
  /** Hands over a wait that was woken. False: the run is on its way out, and whoever has it next will see the wait. */
  wake(wait: StoredWait): boolean;
  /** Lets go without writing anything: the lease is lost. */
  abandon(): void;
}

/** A retry that is further away suspends the run instead of holding it in memory. */
const longestHeldWaitMs = 5_000;

/** A node that finished, and the port it left by. */
interface Left {
  readonly node: PlanNode;
  readonly port: string;
}

type Halt = 'stopped' | 'timed_out' | 'errored' | 'left';

/** Walks an execution from where its journal ends to its own end. */
export function startRun(deps: RunDeps, journal: RunRecorder, input: RunInput): Run {
  const { plan, tenant, facts } = input;
  const { executionId } = facts;
  const walk = beginWalk(plan);
  const results = new Map<string, NodeResult>();
  const scope = runScope(plan, facts, results);
  const abort = new AbortController();
  const finished = Promise.withResolvers<RunResult>();
  let seq = input.history.reduce((last, entry) => Math.max(last, entry.seq), 0);
  let inFlight = 0;
  let halt: Halt | undefined;
  let isEnding = false;
  let response: (RunResult['response'] & { nodeId: string }) | undefined;
  let failure: RunFailure | undefined;
  const waits = runWaits({
    tenant,
    executionId,
    stored: input.waits,
    history: input.history,
    write: (wait) => deps.suspension.write(wait),
    // A node that waits is not in flight: when there are no others the run leaves memory.
    onParked() {
      inFlight -= 1;
      if (inFlight === 0) void end();
    },
    onUnparked: () => (inFlight += 1),
  });

  function begin(): void {
    const startNode = plan.nodes[plan.start]!;
    keepResult(startNode, 'Success', facts.payload);
    leave(walk, plan.start, defaultPort);
    for (const entry of input.history) replay(entry);
    if (input.isStopRequested) halt = 'stopped';
    dispatch(plan.nodes.filter((node) => isReady(walk, node.index)).map((node) => node.index));
  }

  /** Takes over an outcome that is in the journal already. */
  function replay(entry: HistoryEntry): void {
    const node = plan.nodes.find(({ id }) => id === entry.nodeId);
    if (node === undefined || entry.kind === 'start' || entry.status === 'retrying') return;
    if (entry.status === 'errored') {
      halt = 'errored';
      failure ??= {
        nodeId: node.id,
        nodeName: node.name,
        ...(entry.error ?? { message: 'The node failed.' }),
      };
      leave(walk, node.index, undefined);
      return;
    }
    if (entry.status === 'stopped' || entry.status === 'timed_out') {
      halt = entry.status;
      leave(walk, node.index, undefined);
      return;
    }
    const isSuccess = entry.status === 'success';
    if (isSuccess) keepResult(node, 'Success', entry.output, entry.statusCode ?? undefined);
    else if (entry.error === null) keepResult(node, 'Rejected', null);
    else keepResult(node, 'Errored', failureBody(entry.error), entry.statusCode ?? undefined);
    if (isSuccess && node.type === 'response') {
      response ??= { nodeId: node.id, body: entry.output, statusCode: entry.statusCode ?? 200 };
    }
    leave(walk, node.index, entry.port ?? undefined);
  }

  function dispatch(ready: readonly number[]): void {
    if (halt === undefined) {
      inFlight += ready.length;
      for (const index of ready) {
        runNode(plan.nodes[index]!).then(nodeSettled, nodeBroke);
      }
    }
    if (inFlight === 0) void end();
  }

  /** `port` undefined: the node has not finished, or the run is halting. */
  function nodeSettled(left: Left | undefined): void {
    inFlight -= 1;
    dispatch(left === undefined ? [] : leave(walk, left.node.index, left.port));
  }

  function nodeBroke(error: unknown): void {
    inFlight -= 1;
    if (error instanceof LeaseLostError) {
      abandon();
    } else {
      deps.log.error({ err: error, executionId }, 'A run broke.');
      halt ??= 'errored';
      failure ??= {
        nodeId: '',
        nodeName: '',
        message: 'The engine could not record this run. See the server log.',
      };
    }
    dispatch([]);
  }

  async function runNode(node: PlanNode): Promise<Left | undefined> {
    const past = nodePast(input.history, node.id);
    const stored = waits.find(node.id, '');
    const startedAt = deps.clock.now();
    // What was let in before it was suspended is not asked again at the door.
    const entering = stored === undefined ? node : { ...node, conditions: undefined };
    const prepared = prepareNode(deps.registry, entering, scope, {
      services: deps.services,
      idempotencyKey: keyOf(node),
      appSlug: input.appSlug ?? undefined,
    });
    if (prepared.kind === 'rejected') {
      keepResult(node, 'Rejected', null);
      const output = storedValue({ conditions: prepared.conditions });
      return record(node, past.attempts + 1, startedAt, { status: 'rejected', port: defaultPort, output });
    }
    if (prepared.kind === 'failed') {
      return finish(node, past.attempts + 1, startedAt, prepared.logged, failed(prepared.failure), []);
    }
    const { type, settings, logged, effect } = prepared;
    const suspendedIn = stored === undefined || stored.reason === 'retry' ? undefined : stored;
    if (suspendedIn === undefined) {
      const lost = lostFailure(node, past, effect);
      if (lost !== undefined) return finish(node, past.attempts + 1, startedAt, logged, failed(lost), []);
    }
    if (stored?.reason === 'retry') {
      if ((await waits.rejoin(stored)) === undefined) return undefined;
    } else if (past.retryAt !== undefined && !(await waitUntil(node, past.attempts, past.retryAt))) {
      return undefined;
    }

    for (let attempt = suspendedIn?.attempt ?? past.attempts + 1, failures = past.failures; ; attempt += 1) {
      const at = attempt === suspendedIn?.attempt ? suspendedIn.created_at : deps.clock.now();
      const lines: { level: string; text: string }[] = [];
      let woken: Woken | undefined;
      if (attempt === suspendedIn?.attempt) {
        woken = await waits.rejoin(suspendedIn);
        if (woken === undefined) return undefined;
      } else if (effect !== 'none' && !(await recordStart(node, attempt, logged, at))) {
        return undefined;
      }
      const outcome = await outcomeOf(node, { type, settings, effect, logged }, attempt, lines, woken);
      if (effect !== 'none') deps.crash?.('attempt.after-call');
      if (outcome === 'left') return undefined;
      if (outcome === undefined) {
        if (halt !== 'left')
          record(node, attempt, at, {
            status: halt === 'timed_out' ? 'timed_out' : 'stopped',
            input: logged,
          });
        return undefined;
      }
      if (outcome.kind === 'failed' && halt === undefined) {
        failures += 1;
        const delayMs = nextAttemptInMs(node.retry, failures, outcome.failure, effect, Math.random());
        if (delayMs !== undefined) {
          const retryAt = new Date(deps.clock.now().getTime() + delayMs);
          await recordRetry(node, attempt, at, logged, outcome.failure, retryAt, lines);
          if (!(await waitUntil(node, attempt, retryAt))) return undefined;
          continue;
        }
      }
      return finish(node, attempt, at, effect === 'none' ? logged : undefined, outcome, lines);
    }
  }

  /** The same for every attempt, whoever makes it. The last part counts the iterations of a loop. */
  function keyOf(node: PlanNode): string {
    return `${executionId}:${node.id}:0`;
  }

  /** An attempt is in the journal before the call leaves. False: the run is to end instead. */
  async function recordStart(node: PlanNode, attempt: number, logged: unknown, at: Date): Promise<boolean> {
    if (halt !== undefined) return false;
    const isStopAsked = await journal.addAndCommit(
      row(node, attempt, at, { kind: 'start', input: storedValue(logged) }),
    );
    if (isStopAsked) stop();
    if (halt === undefined) return true;
    if (halt === 'stopped' || halt === 'timed_out') record(node, attempt, at, { status: halt });
    return false;
  }

  async function recordRetry(
    node: PlanNode,
    attempt: number,
    startedAt: Date,
    logged: unknown,
    reason: NodeFailure,
    retryAt: Date,
    lines: readonly { level: string; text: string }[],
  ): Promise<void> {
    await journal.addAndCommit(
      row(node, attempt, deps.clock.now(), {
        kind: 'outcome',
        status: 'retrying',
        durationMs: deps.clock.now().getTime() - startedAt.getTime(),
        input: storedValue(logged),
        error: errorJson(reason),
        console: consoleJson(lines),
        retryAt,
      }),
    );
  }

  /** Calls the node, and again whenever what it suspended for has come. `left`: the run leaves memory or ends before. */
  async function outcomeOf(
    node: PlanNode,
    { type, settings, effect, logged }: Pick<ReadyNode, 'type' | 'settings' | 'effect' | 'logged'>,
    attempt: number,
    lines: { level: string; text: string }[],
    first: Woken | undefined,
  ): Promise<FinishedOutcome | 'left' | undefined> {
    let woken = first;
    for (;;) {
      const outcome = await call(node, type, settings, attempt, lines, woken);
      if (outcome?.kind !== 'suspended') return outcome;
      if (halt !== undefined) return undefined;
      const at = deps.clock.now();
      // The log shows that it was reached, as it does of nodes that act.
      if (effect === 'none' && woken === undefined) {
        journal.add(row(node, attempt, at, { kind: 'start', input: storedValue(logged) }));
      }
      woken = await waits.begin({ nodeId: node.id, batch: '', attempt, at, request: outcome.wait });
      if (woken === undefined) return 'left';
    }
  }

  function call(
    node: PlanNode,
    type: NodeType,
    settings: unknown,
    attempt: number,
    lines: { level: string; text: string }[],
    woken: Woken | undefined,
  ): Promise<NodeOutcome | undefined> {
    const context: BareNodeContext = {
      tenant,
      linkedAccount: { id: input.linkedAccountId, accountId: facts.accountId },
      configId: facts.configId,
      appSlug: input.appSlug ?? undefined,
      executionId,
      nodeId: node.id,
      batch: '',
      mode: input.mode,
      attempt,
      idempotencyKey: keyOf(node),
      now: deps.clock.now(),
      signal: abort.signal,
      services: deps.services,
      log: (level, text) => {
        if (lines.length < mostConsoleLines) lines.push({ level, text });
      },
    };
    return journal.attempt(node, context, (whole) =>
      callNode(type, settings, whole, woken, (error) =>
        deps.log.error({ err: error, executionId, nodeId: node.id }, 'A node threw.'),
      ),
    );
  }

  function finish(
    node: PlanNode,
    attempt: number,
    startedAt: Date,
    logged: unknown,
    outcome: FinishedOutcome,
    lines: readonly { level: string; text: string }[],
  ): Left | undefined {
    return record(node, attempt, startedAt, {
      ...endingOf(node, outcome),
      input: logged,
      console: consoleJson(lines),
    });
  }

  function endingOf(node: PlanNode, outcome: FinishedOutcome): Ended {
    if (outcome.kind === 'failed') return failureEnding(node, outcome.failure);
    const output = storedValue(outcome.body);
    const problem = sizeProblem(output);
    if (problem !== undefined) return failureEnding(node, { message: problem, retry: 'never' });
    const statusCode = outcome.kind === 'respond' ? outcome.statusCode : outcome.status;
    keepResult(node, 'Success', outcome.body, statusCode);
    if (outcome.kind === 'respond') {
      response ??= { nodeId: node.id, body: outcome.body, statusCode: outcome.statusCode };
    }
    const port = outcome.kind === 'respond' ? defaultPort : outcome.port;
    return { status: 'success', port, output, statusCode };
  }

  /** A failure that is skipped leaves by the ordinary port: a node that chooses has chosen nothing. */
  function failureEnding(node: PlanNode, reason: NodeFailure): Ended {
    if (node.isSkippedOnError) {
      keepResult(node, 'Errored', failureBody(reason), reason.status);
      return {
        status: 'errored_and_skipped',
        port: defaultPort,
        error: errorJson(reason),
        statusCode: reason.status,
      };
    }
    halt ??= 'errored';
    failure ??= {
      nodeId: node.id,
      nodeName: node.name,
      message: reason.message,
      ...(reason.status === undefined ? {} : { status: reason.status }),
      ...(reason.body === undefined ? {} : { body: reason.body }),
    };
    return { status: 'errored', error: errorJson(reason), statusCode: reason.status };
  }

  function keepResult(node: PlanNode, status: string, body: unknown, statusCode?: number): void {
    results.set(node.id, {
      status,
      node_id: node.id,
      node_name: node.name,
      body,
      ...(statusCode === undefined ? {} : { status_code: statusCode }),
    });
  }

  /** Writes the outcome; nobody waits here, the next call to the outside or the end of the run does. */
  function record(node: PlanNode, attempt: number, startedAt: Date, ended: Ended): Left | undefined {
    const now = deps.clock.now();
    journal.add(
      row(node, attempt, now, {
        kind: 'outcome',
        status: ended.status,
        port: ended.port,
        statusCode: ended.statusCode,
        durationMs: now.getTime() - startedAt.getTime(),
        input: ended.input === undefined ? undefined : storedValue(ended.input),
        output: ended.output,
        error: ended.error,
        console: ended.console,
      }),
    );
    return ended.port === undefined ? undefined : { node, port: ended.port };
  }

  function row(
    node: PlanNode,
    attempt: number,
    at: Date,
    rest: Omit<JournalRow, 'executionId' | 'seq' | 'tenant' | 'nodeId' | 'batch' | 'attempt' | 'at'>,
  ): JournalRow {
    seq += 1;
    return { executionId, seq, tenant, nodeId: node.id, batch: '', attempt, at, ...rest };
  }

  /** True: the time has come. False: the run ends or is suspended before. */
  async function waitUntil(node: PlanNode, attempt: number, until: Date): Promise<boolean> {
    const delayMs = until.getTime() - deps.clock.now().getTime();
    if (delayMs <= 0) return halt === undefined;
    if (delayMs > longestHeldWaitMs) {
      const request = { reason: 'retry', dueAt: until } as const;
      const woken = await waits.begin({ nodeId: node.id, batch: '', attempt, at: deps.clock.now(), request });
      return woken !== undefined && halt === undefined;
    }
    await pause(delayMs, abort.signal);
    return halt === undefined;
  }

  async function end(): Promise<void> {
    if (isEnding) return;
    isEnding = true;
    try {
      if (halt === undefined && waits.size > 0) await suspendOrEnd();
      else await writeEnd(halt === undefined || halt === 'left' ? 'completed' : halt);
    } catch (error) {
      if (!(error instanceof LeaseLostError))
        deps.log.error({ err: error, executionId }, 'A run could not end.');
      halt = 'left';
    }
    waits.release();
    finished.resolve(
      halt === 'left'
        ? { state: 'left' }
        : { state: halt ?? 'completed', response, failure: journal.shown(failure) },
    );
  }

  async function suspendOrEnd(): Promise<void> {
    if (await deps.suspension.leave(executionId, waits.consumed)) {
      halt = 'left';
      return;
    }
    halt = 'stopped';
    await writeEnd('stopped');
  }

  async function writeEnd(state: EndState): Promise<void> {
    if (halt === 'left') return;
    await journal.end({
      executionId,
      state,
      responseNodeId: response?.nodeId,
      statusCode: response?.statusCode,
      failedNodeId: failure?.nodeId,
      errorText: failure?.message.replaceAll('\u0000', ''),
      nodeCount: plan.nodes.length,
      finishedNodeCount: walk.settled,
      at: deps.clock.now(),
    });
    if (waits.wereUsed) deps.suspension.forget(executionId);
  }

  function haltWith(reason: Halt): void {
    if (isEnding) return;
    halt ??= reason;
    abort.abort();
  }

  function stop(): void {
    haltWith('stopped');
  }

  function abandon(): void {
    halt = 'left';
    abort.abort();
  }

  begin();
  return {
    executionId,
    group: input.linkedAccountId,
    finished: finished.promise,
    stop,
    abandon,
    wake(wait) {
      return !isEnding && halt === undefined && waits.deliver(wait);
    },
    checkDeadline(now) {
      if (now >= input.deadlineAt) haltWith('timed_out');
    },
  };
}

const mostConsoleLines = 1_000;

/** How a node ended, as the journal takes it. Without a port the run goes no further from here. */
interface Ended {
  readonly status: JournalStatus;
  readonly port?: string;
  readonly statusCode?: number | undefined;
  readonly input?: unknown;
  readonly output?: StoredValue;
  readonly error?: string;
  readonly console?: string | undefined;
}

function consoleJson(lines: readonly { level: string; text: string }[]): string | undefined {
  return lines.length === 0 ? undefined : JSON.stringify(lines);
}
