import { AppError } from '#domain/errors';
import type { NodeEffect, NodeFailure } from '#engine/nodes/node-type';
import type { NodePast } from '#engine/run/run-history';

/** A worker that dies this often in one node takes the node for the cause. */
const mostUnknownAttempts = 3;

/** What a thrown error means for the node. An error that is not ours to expect is a bug: tried again, then shown as ours. */
export function failureOf(error: unknown): NodeFailure {
  if (!(error instanceof AppError)) {
    return { message: 'Something went wrong on our side while the node ran.', retry: 'unknown' };
  }
  if (error.code === 'rate_limited') return { message: error.message, status: error.status, retry: 'safe' };
  if (error.code === 'refresh_unavailable') {
    // Without a token nothing was done for the account, so even a `once` node waits until there may be one again.
    const { retryAfterMs } = (error as AppError<'refresh_unavailable'>).details;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return { message: error.message, status: error.status, retry: 'safe', ...wait };
  }
  if (error.code === 'provider_unreachable' || error.code === 'egress_timeout') {
    const wasNotSent = (error as AppError<'provider_unreachable'>).details.wasNotSent === true;
    return { message: error.message, status: 0, retry: wasNotSent ? 'safe' : 'unknown' };
  }
  return {
    message: error.message,
    status: error.status,
    retry: error.retry === 'later' ? 'unknown' : 'never',
  };
}

/** Problems of settings, each with the name of its field. */
export function problemText(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`))
    .join('; ');
}

/** Why a node is not run again after its worker died in the middle of it. */
export function lostFailure(
  node: { readonly name: string },
  past: NodePast,
  effect: NodeEffect,
): NodeFailure | undefined {
  if (past.unknown === 0) return undefined;
  if (effect === 'once') {
    return {
      message: `The worker was lost while "${node.name}" was calling out, so nobody knows whether the call arrived. It is not sent again because a second one could do harm. Look in the app, then rerun the execution or not.`,
      retry: 'never',
    };
  }
  if (past.unknown < mostUnknownAttempts) return undefined;
  return {
    message: `The worker was lost ${past.unknown} times while it ran "${node.name}", so the node is not tried again.`,
    retry: 'never',
  };
}

/** What templates read as the body of a node that failed and was skipped. */
export function failureBody({
  message,
  status,
  body,
}: {
  message: string;
  status?: number;
  body?: unknown;
}): unknown {
  return { message, status, error: body };
}

export function errorJson({ message, status, body }: Omit<NodeFailure, 'retry'>): string {
  return JSON.stringify({ message, status, body });
}
