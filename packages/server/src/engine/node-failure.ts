import { AppError } from '#domain/errors';
import type { NodeFailure } from '#engine/nodes/node-type';

/** What a thrown error means for the node. An error that is not ours to expect is a bug: tried again, then shown as ours. */
export function failureOf(error: unknown): NodeFailure {
  if (!(error instanceof AppError)) {
    return { message: 'Something went wrong on our side while the node ran.', retry: 'unknown' };
  }
  if (error.code === 'rate_limited') return { message: error.message, status: error.status, retry: 'safe' };
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
