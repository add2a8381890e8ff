import { AppError } from '#domain/errors';
import { StartupError } from '#domain/startup-error';

/**
 * The command line of the product. Commands are loaded when they are asked for: `status` should not pay for the
 * server.
 */
const usage = `Usage: inlay <command>

  start      start Inlay (--no-demo, --role api|worker|all, --port 4000)
  status     show what runs; --json for programs; exits with 1 when nothing runs
  migrate    bring the database to this version's schema and exit
  keys       rotate the keys that seal stored secrets, or prune those that seal nothing any more
  connector  new, check or record: for people who write connectors
  version    print the version
`;

type Command = (args: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('#cli/start')).start,
  status: async () => (await import('#cli/status')).status,
  migrate: async () => (await import('#cli/migrate')).migrateDatabase,
  keys: async () => (await import('#cli/keys')).runKeysCommand,
  connector: async () => (await import('#cli/connector')).runConnectorCommand,
  version: async () => async () => {
    process.stdout.write(`${(await import('#main')).version}\n`);
    return 0;
  },
};

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage);
    return 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) throw new StartupError(`"${name}" is not a command.\n\n${usage}`);
  return (await load())(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isForTheUser =
    error instanceof StartupError ||
    error instanceof AppError ||
    (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'));
  if (!isForTheUser) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
