import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { AppError } from '#domain/errors';
import { RefusedAddress } from '#outbound/connector';

export interface SocketTarget {
  readonly host: string;
  readonly port: number;
  /** For resolving and connecting. Default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Opens plain sockets by the same rule as HTTP: resolve, check, connect to what was checked. */
export function guardedSocket(
  connector: buildConnector.connector,
): (target: SocketTarget) => Promise<Socket> {
  return ({ host, port, timeoutMs = 15_000, signal }) => {
    const opened = Promise.withResolvers<Socket>();
    const name = `${host}:${port}`;
    const fail = (error: unknown): void => opened.reject(error);
    const timer = setTimeout(
      () => fail(new AppError('egress_timeout', { host: name, timeoutMs })),
      timeoutMs,
    );
    const onAbort = (): void => fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    let isSettled = false;
    const target = { hostname: host, host: name, protocol: 'http:', port: String(port) };
    connector(target, (error, socket) => {
      if (error !== null) return fail(described(error, name));
      // Nobody waits for it any longer.
      if (isSettled) return socket.destroy();
      return opened.resolve(socket);
    });
    return opened.promise.finally(() => {
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    });
  };
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name could not be resolved just now',
  UND_ERR_CONNECT_TIMEOUT: 'the connection was not accepted in time',
};

function described(error: Error, name: string): AppError {
  const cause: unknown = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  if (cause instanceof RefusedAddress) {
    return new AppError('egress_forbidden', { host: name, reason: cause.reason });
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  const reason = reasons[code] ?? code;
  return new AppError('provider_unreachable', { app: name, reason, wasNotSent: true }, { cause: error });
}
