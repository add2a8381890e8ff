import { createServer } from 'node:net';
import { StartupError } from '#domain/startup-error';

/**
 * Finds out early, before the database is started, that a port cannot be had.
 *
 * @param variable - the setting that moves it
 */
export async function assertPortFree(host: string, port: number, variable: string): Promise<void> {
  if (port === 0) return;
  const problem = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ host, port }, () => probe.close(() => resolve(undefined)));
  });
  if (problem !== undefined) throw explainListenError(problem, host, port, variable);
}

/** Turns a failure to listen into a sentence. */
export function explainListenError(
  error: NodeJS.ErrnoException,
  host: string,
  port: number,
  variable: string,
): StartupError {
  const other = port < 65_000 ? port + 1000 : port - 1000;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} is taken by another program. Stop that one, or choose another port: ${variable}=${other}.`,
    EACCES: `Port ${port} is reserved for the system administrator. Choose one above 1023: ${variable}=${other}.`,
    EADDRNOTAVAIL: `This machine has no address "${host}". Correct INLAY_HOST; 0.0.0.0 means all addresses.`,
    ENOTFOUND: `The address "${host}" is unknown. Correct INLAY_HOST; 0.0.0.0 means all addresses.`,
  };
  const text = reasons[error.code ?? ''] ?? `Port ${port} on "${host}" cannot be opened: ${error.message}.`;
  return new StartupError(text, { cause: error });
}
