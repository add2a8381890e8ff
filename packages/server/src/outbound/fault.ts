import { AppError } from '#domain/errors';
import { RefusedAddress } from '#outbound/connector';

/** Errors that arise before the first byte of a request leaves. */
const notSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What went wrong with a call, in our words; what is not known stays as it is. */
export function described(
  error: unknown,
  attempt: { readonly url: URL; readonly request: { readonly method: string; readonly app?: string } },
): unknown {
  if (error instanceof AppError) return error;
  const cause = rootOf(error);
  if (cause instanceof RefusedAddress) {
    return new AppError('egress_forbidden', { host: attempt.url.host, reason: cause.reason });
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    const message = 'hold one that HTTP does not allow, or that only the connection itself may set';
    return new AppError('invalid_request', { problems: [{ path: 'headers', message }] }, { cause: error });
  }
  const wasNotSent = notSent.has(code) || /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|ERR_OSSL/.test(code);
  return new AppError(
    'provider_unreachable',
    { app: attempt.request.app ?? attempt.url.host, reason: reasons[code] ?? code, wasNotSent },
    { cause: error },
  );
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name could not be resolved just now',
  UND_ERR_CONNECT_TIMEOUT: 'the connection was not accepted in time',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
};

/** With several addresses Node reports an `AggregateError`; the first member says why. */
function rootOf(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}
