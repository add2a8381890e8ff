import pino, { type DestinationStream, type Logger } from 'pino';
import type { Config } from '#config';

/** Lines go to stderr, so that stdout holds only what `start` says to its user. */
export function createLogger(
  config: Pick<Config, 'logLevel'>,
  to: DestinationStream = pino.destination({ fd: 2, sync: false }),
): Logger {
  return pino(
    {
      level: config.logLevel,
      base: null,
      redact: ['*.authorization', '*.cookie', '*["x-api-key"]', '*.password', '*.secret', '*.token'],
      serializers: { err: loggedError },
    },
    to,
  );
}

/** Fields of errors that say what kind of error it is, and nothing of what anybody sent. */
const kindFields = ['code', 'constraint', 'table', 'column', 'routine', 'syscall', 'status'] as const;

/**
 * An error as the log shows it: what it says, where it came from, and of which kind it is. Everything else that
 * libraries attach stays out: the row that PostgreSQL refused (`detail`, `where`), the URL that Node could not read
 * (`input`), the answer of a provider.
 */
export function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = pino.stdSerializers.err(error);
  const kind = kindFields.flatMap((field) => {
    const value = (error as unknown as Record<string, unknown>)[field];
    return typeof value === 'string' || typeof value === 'number' ? [[field, value] as const] : [];
  });
  return { type, message, stack, ...Object.fromEntries(kind) };
}
