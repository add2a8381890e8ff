import { existsSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { makeDataFolder } from '#db/data-folder';
import { prepareCluster } from '#db/embedded/cluster';
import { findServer, startServer, stopServer, type ServerOptions } from '#db/embedded/server';
import { withFileLock } from '#db/file-lock';

/** A PostgreSQL of our own, running. */
export interface EmbeddedPostgres {
  /** For the application: a role that owns its database and is no superuser, so that row-level security binds it. */
  readonly url: string;
  /** True when it ran before we came. */
  readonly wasRunning: boolean;
  /** Starts it again if it died. @returns true when it had */
  revive(): Promise<boolean>;
  stop(): Promise<void>;
  /** Stops it, unless another program is connected: that one may rely on it. */
  stopUnlessUsed(): Promise<void>;
}

export interface EmbeddedOptions extends ServerOptions {
  /** Lets the application's role make databases; tests clone theirs from a template. */
  readonly mayCreateDatabases?: boolean;
}

const role = 'inlay';
const database = 'inlay';

/** Starts (or takes over) the PostgreSQL whose data belongs to the folder `home`. */
export async function openEmbeddedPostgres(
  home: string,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  await makeDataFolder(home);
  const { cluster, socketDirectory, wasRunning } = await withFileLock(lockFile(home), async () => {
    const cluster = await prepareCluster(home);
    const server = await startServer(cluster, options);
    await makeRoleAndDatabase(server.socketDirectory, options.mayCreateDatabases ?? false);
    return { cluster, ...server };
  });
  return {
    url: socketUrl(socketDirectory, role, database),
    wasRunning,
    async revive() {
      if ((await findServer(cluster.dataDirectory)) !== undefined) return false;
      return withFileLock(lockFile(home), async () => {
        const { wasRunning } = await startServer(cluster, options);
        return !wasRunning;
      });
    },
    stop: () => withFileLock(lockFile(home), () => stopServer(cluster)),
    async stopUnlessUsed() {
      if (!existsSync(home)) return; // deleted under a running server, which ends by itself then
      await withFileLock(lockFile(home), async () => {
        if (await hasClients(socketDirectory)) return;
        await stopServer(cluster);
      });
    },
  };
}

/** Whether anybody but the caller is connected. A server that cannot be asked has none. */
async function hasClients(socketDirectory: string): Promise<boolean> {
  const client = new Client({ connectionString: socketUrl(socketDirectory, 'postgres', 'postgres') });
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    return rowCount !== 0;
  } catch (error) {
    const { code } = error as { code?: string };
    const cannotConnectNow = '57P03';
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === cannotConnectNow) return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined); // it may never have connected
  }
}

/** One process at a time makes, starts or stops the server of a folder. */
function lockFile(home: string): string {
  return path.join(home, 'postgres.lock');
}

/** A URL that names a socket folder: `localhost` is a filler, the `host` parameter wins. */
function socketUrl(socketDirectory: string, user: string, database: string): string {
  return `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(socketDirectory)}`;
}

async function makeRoleAndDatabase(socketDirectory: string, mayCreateDatabases: boolean): Promise<void> {
  const client = new Client({ connectionString: socketUrl(socketDirectory, 'postgres', 'postgres') });
  await client.connect();
  try {
    const { rows } = await client.query<{ has_role: boolean; has_database: boolean }>(
      `select exists (select from pg_roles where rolname = $1) as has_role,
              exists (select from pg_database where datname = $2) as has_database`,
      [role, database],
    );
    const found = rows[0];
    const attributes = `login nosuperuser nocreaterole nobypassrls ${mayCreateDatabases ? 'createdb' : 'nocreatedb'}`;
    if (found?.has_role !== true) await client.query(`create role ${role} ${attributes}`);
    if (found?.has_database !== true) await client.query(`create database ${database} owner ${role}`);
  } finally {
    await client.end();
  }
}
