import { InputError } from '@inlay/connectors/kit';
import { checkConnectors } from '#cli/connector-check';
import type { ConnectorDeps } from '#cli/connector-folder';
import { newConnector } from '#cli/connector-new';
import { recordCall, recordOptions } from '#cli/connector-record';
import { StartupError } from '#domain/startup-error';

export const connectorUsage = `Usage: inlay connector <command>

  new <slug>                 write the skeleton of a connector
  check [slug]               check one connector, or all of them
  record <slug> <subject>    make a real call and write it down, without secrets

A subject is an action id, options.<list>, poll.<trigger> or check. Options of record:
${recordOptions}`;

/** `inlay connector …`, for people who write connectors. Returns the exit code. */
export async function connectorCommand(args: readonly string[], deps: ConnectorDeps): Promise<number> {
  const [command, ...rest] = args;
  try {
    if (command === 'new') return await newConnector(rest, deps);
    if (command === 'check') return await checkConnectors(rest, deps);
    if (command === 'record') return await recordCall(rest, deps);
  } catch (error) {
    // The author's mistake, in the kit's words: an unknown action, a credential field left out.
    if (error instanceof InputError) throw new StartupError(`${error.message}.`, { cause: error });
    throw error;
  }
  throw new StartupError(
    command === undefined ? connectorUsage : `"${command}" is not a connector command.\n\n${connectorUsage}`,
  );
}

/** The command as the program runs it, on this repository's own connectors. */
export function runConnectorCommand(args: readonly string[]): Promise<number> {
  return connectorCommand(args, {
    folder: new URL('../../../connectors/src/', import.meta.url),
    env: process.env,
    now: () => new Date(),
    print: (text) => process.stdout.write(`${text}\n`),
  });
}
