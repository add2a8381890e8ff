import { AppError } from '#domain/errors';
import { failureOf } from '#engine/run/node-failure';
import {
  failed,
  type NodeContext,
  type NodeOutcome,
  type NodeType,
  type Woken,
} from '#engine/nodes/node-type';

/**
 * Runs a node, or goes on with one that was woken, and turns whatever it throws into an outcome. `undefined`: the run was aborted, and nobody waits for
 * the node any longer, whether it heeds the signal or not.
 *
 * @param onBug - told of errors that are not ours to expect
 */
export async function callNode(
  type: NodeType,
  settings: unknown,
  context: NodeContext,
  woken: Woken | undefined,
  onBug: (error: unknown) => void,
): Promise<NodeOutcome | undefined> {
  try {
    const outcome =
      woken === undefined ? type.run(settings, context) : resume(type, settings, context, woken);
    return outcome instanceof Promise ? await orAborted(outcome, context.signal) : outcome;
  } catch (error) {
    if (context.signal.aborted) return undefined;
    if (!(error instanceof AppError)) onBug(error);
    return failed(failureOf(error));
  }
}

function resume(
  type: NodeType,
  settings: unknown,
  context: NodeContext,
  woken: Woken,
): NodeOutcome | Promise<NodeOutcome> {
  if (type.resume === undefined) throw new Error(`The node type "${type.type}" suspends but cannot resume.`);
  return type.resume(settings, context, woken);
}

async function orAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const onAbort = (): void => aborted.resolve(undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([value, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Waits, or until the signal is aborted. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, delayMs);
  const onAbort = (): void => over.resolve();
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  await over.promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
}
