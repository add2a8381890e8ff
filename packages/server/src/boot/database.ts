import { statfs } from 'node:fs/promises';
import { Client } from 'pg';
import { StartupError } from '#domain/startup-error';
import { openEmbeddedPostgres, type EmbeddedPostgres } from '#db/embedded/index';

/** Where the data is, ready for connections. */
export interface OpenDatabase {
  readonly url: string;
  readonly kind: 'embedded' | 'external';
  /** For the log: the role may see past row-level security. */
  readonly bypassesRowSecurity: boolean;
  /** Ends what we started, unless another process of this data folder still uses it. */
  close(): Promise<void>;
}

const oldestVersion = 14;
const leastFreeMegabytes = 200;

/** Opens DATABASE_URL, or PostgreSQL of our own in the data folder. @throws StartupError */
export async function openDatabase(
  config: { readonly databaseUrl: string | undefined; readonly dataDir: string },
  onRevival: () => void,
): Promise<OpenDatabase> {
  if (config.databaseUrl !== undefined) return openExternal(config.databaseUrl);
  await assertDiskSpace(config.dataDir);
  const server = await openEmbeddedPostgres(config.dataDir);
  const stopWatching = watch(server, onRevival);
  return {
    url: server.url,
    kind: 'embedded',
    bypassesRowSecurity: false,
    async close() {
      await stopWatching();
      await server.stopUnlessUsed();
    },
  };
}

/** A full disk stops PostgreSQL in the middle of its work; refusing to start is kinder. */
async function assertDiskSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / 1_048_576);
  if (free >= leastFreeMegabytes) return;
  throw new StartupError(
    `Only ${free} MB are free where "${folder}" is; Inlay needs at least ${leastFreeMegabytes} MB for its database. Free some space, or set INLAY_DATA_DIR to another disk.`,
  );
}

/** PostgreSQL may be ended by somebody else (out of memory, an operator): it comes back without a restart of ours. */
function watch(server: EmbeddedPostgres, onRevival: () => void): () => Promise<void> {
  let look: Promise<void> | undefined;
  const timer = setInterval(() => {
    look ??= lookOnce().finally(() => {
      look = undefined;
    });
  }, 1_000);
  timer.unref();

  async function lookOnce(): Promise<void> {
    try {
      if (await server.revive()) onRevival();
    } catch (error) {
      // Every failing query tells of it meanwhile, and the next look tries again.
      if (!(error instanceof StartupError)) throw error;
    }
  }

  return async () => {
    clearInterval(timer);
    await look;
  };
}

interface ServerFacts {
  readonly version: number;
  readonly version_text: string;
  readonly bypasses: boolean;
  readonly may_create: boolean;
}

async function openExternal(url: string): Promise<OpenDatabase> {
  const place = describePlace(url);
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  let facts: ServerFacts | undefined;
  try {
    await client.connect();
    const { rows } = await client.query<ServerFacts>(
      `select current_setting('server_version_num')::integer as version,
              current_setting('server_version') as version_text,
              (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as bypasses,
              has_schema_privilege(current_schema(), 'create') as may_create`,
    );
    facts = rows[0];
  } catch (error) {
    throw new StartupError(`The database at DATABASE_URL (${place}) cannot be used: ${reason(error)}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined); // it may never have connected
  }
  if (facts === undefined || facts.version < oldestVersion * 10_000) {
    throw new StartupError(
      `The database at DATABASE_URL (${place}) is PostgreSQL ${facts?.version_text ?? 'of an unknown version'}; Inlay needs ${oldestVersion} or newer.`,
    );
  }
  if (!facts.may_create) {
    throw new StartupError(
      `The role of DATABASE_URL (${place}) may not create tables. Make it the owner of the database: ALTER DATABASE <name> OWNER TO <role>.`,
    );
  }
  return { url, kind: 'external', bypassesRowSecurity: facts.bypasses, close: () => Promise.resolve() };
}

/** The URL without its password. */
function describePlace(url: string): string {
  const { hostname, port, pathname, username, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? hostname;
  return `role "${decodeURIComponent(username)}", database "${pathname.slice(1)}" on ${host}${port === '' ? '' : `:${port}`}`;
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html and Node's own codes. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Start PostgreSQL, or correct host and port.',
  ENOTFOUND: 'there is no such host. Correct the host name.',
  EAI_AGAIN: 'its host name cannot be resolved at the moment. Check the name and the network.',
  ETIMEDOUT: 'it does not answer. Check the network and the firewall.',
  ENOENT: 'there is no such socket. Correct the folder in "host".',
  '28P01': 'the password is wrong.',
  '28000': 'the role may not sign in that way. Check the role and pg_hba.conf.',
  '3D000': 'there is no such database. Create it with CREATE DATABASE.',
  '53300': 'it has no connection left. Raise max_connections, or lower INLAY_DATABASE_POOL.',
};

function reason(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code, message } = first as { code?: string; message?: string };
  return reasons[code ?? ''] ?? `${message ?? String(first)}.`;
}
