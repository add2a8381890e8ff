import { failed } from '#engine/nodes/node-type';
import type { LoopSettings } from '#engine/nodes/loop';
import { prepareNode } from '#engine/run/prepare-node';
import { runLoop } from '#engine/run/run-loop';
import { reject } from '#engine/run/run-node';
import { finish, journalRow } from '#engine/run/run-record';
import { idempotencyKey, type Container, type Frame, type Left, type RunState } from '#engine/run/run-state';
import { runTryCatch } from '#engine/run/run-try-catch';
import { storedValue } from '#engine/stored-value';
import type { PlanNode } from '#engine/plan/workflow-plan';

/**
 * Runs a node that holds other nodes. What it begins with is written once and read back by whoever continues it, so
 * that a list that has changed meanwhile cannot change what the iterations are about.
 */
export async function runContainer(run: RunState, frame: Frame, node: PlanNode): Promise<Left | undefined> {
  const begun = frame.history.find((entry) => entry.nodeId === node.id && entry.kind === 'start');
  const attempt = { number: 1, startedAt: begun?.at ?? run.deps.clock.now() };
  if (begun !== undefined) {
    const settings = run.deps.registry.get(node.type)!.settings.parse(begun.output);
    return runInside({ run, frame, node, settings, attempt, isBegun: true });
  }
  const prepared = prepareNode(run.deps.registry, node, frame.scope, {
    services: run.deps.services,
    tenant: run.input.tenant,
    idempotencyKey: idempotencyKey(run, frame, node),
    appSlug: run.input.appSlug ?? undefined,
  });
  if (prepared.kind === 'rejected') return reject({ run, frame, node }, attempt, prepared.conditions);
  if (prepared.kind === 'failed') {
    return finish(run, frame, node, attempt, prepared.logged, failed(prepared.failure));
  }
  if (Object.keys(node.regions).length === 0) {
    return reject({ run, frame, node }, attempt, 'There is nothing inside.');
  }
  // As input for people to read, as output to go on with: of that the true values are kept, sealed, where they are
  // not to be shown.
  const given = storedValue(prepared.logged);
  const at = { batch: frame.batch, attempt: 1, at: attempt.startedAt };
  run.journal.add(journalRow(run, node, at, { kind: 'start', input: given, output: given }));
  return runInside({ run, frame, node, settings: prepared.settings, attempt, isBegun: false });
}

function runInside(container: Container): Promise<Left | undefined> {
  return container.node.type === 'loop'
    ? runLoop(container as Container<LoopSettings>)
    : runTryCatch(container);
}
