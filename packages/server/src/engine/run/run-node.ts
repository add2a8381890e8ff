import { callNode, pause } from '#engine/run/call-node';
import { errorJson, failureOf, lostFailure } from '#engine/run/node-failure';
import {
  defaultPort,
  failed,
  type FinishedOutcome,
  type NodeEffect,
  type NodeFailure,
  type NodeOutcome,
  type Woken,
} from '#engine/nodes/node-type';
import { prepareNode, type ReadyNode } from '#engine/run/prepare-node';
import { hidden } from '#engine/recording/masked-row';
import type { BareNodeContext } from '#engine/recording/run-recorder';
import { nextAttemptInMs } from '#engine/run/retry-policy';
import { nodePast } from '#engine/run/run-history';
import {
  consoleJson,
  finish,
  haltedStatus,
  journalRow,
  keepResult,
  record,
  type ConsoleLine,
} from '#engine/run/run-record';
import {
  failureAt,
  haltRun,
  idempotencyKey,
  isHalted,
  type Frame,
  type Left,
  type RunState,
} from '#engine/run/run-state';
import { storedValue } from '#engine/stored-value';
import { takenInto } from '#engine/plan/walk';
import type { PlanNode } from '#engine/plan/workflow-plan';

/** A retry that is further away suspends the run instead of holding it in memory. */
const longestHeldWaitMs = 5_000;
const mostConsoleLines = 1_000;

/** Where an attempt is made. */
interface Place {
  readonly run: RunState;
  readonly frame: Frame;
  readonly node: PlanNode;
}

interface Attempt {
  readonly number: number;
  /** When the first attempt of the node was made. */
  readonly begunAt: Date;
}

/** `error_message` as catch nodes read it. */
interface CaughtError {
  readonly message: string;
  readonly error: readonly { readonly status?: number }[];
}

/** Runs a node with all its attempts. `undefined`: its frame goes no further from here, or the run leaves memory. */
export async function runNode(run: RunState, frame: Frame, node: PlanNode): Promise<Left | undefined> {
  const at = { run, frame, node };
  const past = nodePast(frame.history, node.id);
  const stored = run.waits.find(node.id, frame.batch, frame.history);
  const first = { number: past.attempts + 1, startedAt: run.deps.clock.now() };
  const prepared = prepare(at, stored !== undefined);
  if (prepared.kind === 'rejected') return reject(at, first, prepared.conditions);
  if (prepared.kind === 'failed') {
    return finish(run, frame, node, first, prepared.logged, failed(prepared.failure));
  }
  const logged =
    prepared.type.secretSettings === undefined ? prepared.logged : await shownSettings(at, prepared);
  let effect: NodeEffect;
  try {
    effect = prepared.effect instanceof Promise ? await prepared.effect : prepared.effect;
  } catch (error) {
    return finish(run, frame, node, first, logged, failed(failureOf(error)));
  }
  const suspendedIn = stored === undefined || stored.reason === 'retry' ? undefined : stored;
  if (suspendedIn === undefined) {
    const lost = lostFailure(node, past, effect);
    if (lost !== undefined) {
      if (effect === 'once') await keepUnknown(at, logged, lost);
      return finish(run, frame, node, first, logged, failed(lost));
    }
  }
  if (stored?.reason === 'retry') {
    if ((await run.waits.rejoin(stored)) === undefined) return undefined;
  } else if (past.retryAt !== undefined && !(await waitUntil(at, past.attempts, past.retryAt))) {
    return undefined;
  }

  let { begunAt } = past;
  for (let number = suspendedIn?.attempt ?? first.number, failures = past.failures; ; number += 1) {
    const isResumed = number === suspendedIn?.attempt;
    const startedAt = isResumed ? suspendedIn.created_at : run.deps.clock.now();
    const attempt = { number, startedAt };
    begunAt ??= startedAt;
    const lines: ConsoleLine[] = [];
    let woken: Woken | undefined;
    if (isResumed) {
      woken = await run.waits.rejoin(suspendedIn);
      if (woken === undefined) return undefined;
    } else if (effect !== 'none' && !(await recordStart(at, attempt, logged))) {
      return undefined;
    }
    const outcome = await outcomeOf(at, prepared, { number, begunAt }, lines, woken);
    if (effect !== 'none') run.deps.crash?.('attempt.after-call');
    if (outcome === 'left') return undefined;
    if (outcome === undefined) {
      if (run.halt !== 'left')
        record(run, frame, node, attempt, { status: haltedStatus(run), input: logged });
      return undefined;
    }
    if (outcome.kind === 'failed' && !isHalted(run, frame)) {
      failures += 1;
      const delayMs = nextAttemptInMs(node.retry, failures, outcome.failure, effect, Math.random());
      if (delayMs !== undefined) {
        const retryAt = new Date(run.deps.clock.now().getTime() + delayMs);
        await recordRetry(at, attempt, logged, outcome.failure, retryAt, lines);
        if (!(await waitUntil(at, number, retryAt))) return undefined;
        continue;
      }
    }
    // Also where another branch has failed meanwhile: a retry would send the call again.
    if (outcome.kind === 'failed' && effect === 'once' && isUnanswered(outcome.failure)) {
      await keepUnknown(at, logged, outcome.failure);
    }
    return finish(run, frame, node, attempt, effect === 'none' ? logged : undefined, outcome, lines);
  }
}

/** What the catch branch around the node was entered for. */
function caughtIn({ input }: RunState, frame: Frame): BareNodeContext['caught'] {
  const { failed_node_id: nodeId, error_message: error } = frame.scope.values;
  if (typeof nodeId !== 'string') return undefined;
  let at: Frame | undefined = frame;
  while (at !== undefined && at.kind !== 'catch') at = at.within;
  if (at === undefined) return undefined;
  const { message, error: details } = error as CaughtError;
  const nodeName = input.plan.byId.get(nodeId)?.name ?? nodeId;
  const status = details[0]?.status;
  return { nodeId, nodeName, batch: at.batch, message, status, input: input.facts.payload };
}

/** Sent, perhaps, and nothing came back. */
function isUnanswered({ retry, status = 0 }: NodeFailure): boolean {
  return retry === 'unknown' && status === 0;
}

/** A person is to find out whether the call arrived. Written before the node ends, so none ends without it. */
async function keepUnknown(
  { run, frame, node }: Place,
  logged: unknown,
  failure: NodeFailure,
): Promise<void> {
  await run.deps.services.recovery.addUnknownOutcome(run.input.tenant, {
    executionId: run.input.facts.executionId,
    dedupKey: idempotencyKey(run, frame, node),
    failed: { ...failureAt(node, failure), batch: frame.batch },
    payload: logged,
    mask: (value) => run.journal.mask(value),
    signal: run.abort.signal,
  });
}

/** The settings for the log; what is secret of them is known to the run before anything of the node is written. */
async function shownSettings({ run, node }: Place, { type, settings, logged }: ReadyNode): Promise<unknown> {
  const { tenant, linkedAccountId: id, facts } = run.input;
  const { executionId, accountId } = facts;
  const context = { tenant, linkedAccount: { id, accountId }, executionId, services: run.deps.services };
  try {
    return run.journal.maskedSettings(logged, (await type.secretSettings?.(settings, context)) ?? []);
  } catch (error) {
    // Nobody can say which of them are secret; the node itself will meet the same fault, and say it.
    run.deps.log.warn({ err: error, executionId, nodeId: node.id }, 'Settings of a node are hidden.');
    return hidden;
  }
}

/** What was let in before it was suspended is not asked again at the door. */
function prepare({ run, frame, node }: Place, isResumed: boolean): ReturnType<typeof prepareNode> {
  const entering = isResumed ? { ...node, conditions: undefined } : node;
  return prepareNode(run.deps.registry, entering, frame.scope, {
    services: run.deps.services,
    tenant: run.input.tenant,
    idempotencyKey: idempotencyKey(run, frame, node),
    appSlug: run.input.appSlug ?? undefined,
  });
}

/** The node's own conditions do not hold: it is passed over. */
export function reject(
  { run, frame, node }: Place,
  attempt: { readonly number: number; readonly startedAt: Date },
  conditions: unknown,
): Left | undefined {
  keepResult(frame, node, 'Rejected', null);
  const output = storedValue({ conditions });
  return record(run, frame, node, attempt, { status: 'rejected', port: defaultPort, output });
}

/** An attempt is in the journal before the call leaves. False: the run is to end instead. */
async function recordStart(
  { run, frame, node }: Place,
  attempt: { readonly number: number; readonly startedAt: Date },
  logged: unknown,
): Promise<boolean> {
  if (isHalted(run, frame)) return false;
  const isStopAsked = await run.journal.addAndCommit(
    journalRow(
      run,
      node,
      { batch: frame.batch, attempt: attempt.number, at: attempt.startedAt },
      {
        kind: 'start',
        input: storedValue(logged),
      },
    ),
  );
  if (isStopAsked) {
    haltRun(run, 'stopped');
    run.abort.abort();
  }
  if (!isHalted(run, frame)) return true;
  if (run.halt !== 'left') record(run, frame, node, attempt, { status: haltedStatus(run) });
  return false;
}

async function recordRetry(
  { run, frame, node }: Place,
  attempt: { readonly number: number; readonly startedAt: Date },
  logged: unknown,
  reason: NodeFailure,
  retryAt: Date,
  lines: readonly ConsoleLine[],
): Promise<void> {
  const at = run.deps.clock.now();
  await run.journal.addAndCommit(
    journalRow(
      run,
      node,
      { batch: frame.batch, attempt: attempt.number, at },
      {
        kind: 'outcome',
        status: 'retrying',
        durationMs: at.getTime() - attempt.startedAt.getTime(),
        input: storedValue(logged),
        error: errorJson(reason),
        console: consoleJson(lines),
        retryAt,
      },
    ),
  );
}

/** Calls the node, and again whenever what it suspended for has come. `left`: the run leaves memory or ends before. */
async function outcomeOf(
  at: Place,
  ready: ReadyNode,
  attempt: Attempt,
  lines: ConsoleLine[],
  first: Woken | undefined,
): Promise<FinishedOutcome | 'left' | undefined> {
  const { run, frame, node } = at;
  let woken = first;
  for (;;) {
    const outcome = await call(at, ready, attempt, lines, woken);
    if (outcome?.kind !== 'suspended') return outcome;
    if (isHalted(run, frame)) return undefined;
    const now = run.deps.clock.now();
    // The log shows that it was reached, as it does of nodes that act.
    if (ready.effect === 'none' && woken === undefined) {
      const input = storedValue(ready.logged);
      run.journal.add(
        journalRow(
          run,
          node,
          { batch: frame.batch, attempt: attempt.number, at: now },
          { kind: 'start', input },
        ),
      );
    }
    woken = await suspend(at, attempt.number, now, outcome.wait);
    if (woken === undefined) return 'left';
  }
}

function suspend(
  { run, frame, node }: Place,
  attempt: number,
  at: Date,
  request: Parameters<RunState['waits']['begin']>[0]['request'],
): Promise<Woken | undefined> {
  const isOver = (): boolean => isHalted(run, frame);
  return run.waits.begin({ nodeId: node.id, batch: frame.batch, attempt, at, request, isOver });
}

function call(
  { run, frame, node }: Place,
  { type, settings }: ReadyNode,
  { number: attempt, begunAt }: Attempt,
  lines: ConsoleLine[],
  woken: Woken | undefined,
): Promise<NodeOutcome | undefined> {
  const { deps, input } = run;
  const { executionId, accountId, configId } = input.facts;
  const context: BareNodeContext = {
    tenant: input.tenant,
    linkedAccount: { id: input.linkedAccountId, accountId },
    configId,
    appSlug: input.appSlug ?? undefined,
    executionId,
    nodeId: node.id,
    batch: frame.batch,
    firstBatch: frame.keyPath,
    mode: input.mode,
    attempt,
    idempotencyKey: idempotencyKey(run, frame, node),
    now: deps.clock.now(),
    begunAt,
    signal: run.abort.signal,
    services: deps.services,
    predecessors: () =>
      takenInto(frame.walk, node.index).flatMap((index) => {
        const result = frame.results.get(frame.walk.graph.nodes[index]!.id);
        return result === undefined ? [] : [result];
      }),
    caught: caughtIn(run, frame),
    log: (level, text) => {
      if (lines.length < mostConsoleLines) lines.push({ level, text });
    },
  };
  return run.journal.attempt(node, context, (whole) =>
    callNode(type, settings, whole, woken, (error) =>
      // Errors of libraries quote what they were given.
      deps.log.error({ err: run.journal.shownError(error), executionId, nodeId: node.id }, 'A node threw.'),
    ),
  );
}

/** True: the time has come. False: the run ends or leaves memory before. */
export async function waitUntil({ run, frame, node }: Place, attempt: number, until: Date): Promise<boolean> {
  const delayMs = until.getTime() - run.deps.clock.now().getTime();
  if (delayMs <= 0) return !isHalted(run, frame);
  if (delayMs > longestHeldWaitMs) {
    const request = { reason: 'retry', dueAt: until } as const;
    const woken = await suspend({ run, frame, node }, attempt, run.deps.clock.now(), request);
    return woken !== undefined && !isHalted(run, frame);
  }
  await pause(delayMs, run.abort.signal);
  return !isHalted(run, frame);
}
