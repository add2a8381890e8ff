import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '#domain/startup-error';
import { makeDataFolder } from '#db/data-folder';
import { isReachableByAll, ourAccountName, serverAccount, type ServerAccount } from '#db/embedded/account';
import { findBinaries, type Binaries } from '#db/embedded/binaries';

/** A data folder on disk, ready for a server to be started on it. */
export interface Cluster {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly logFile: string;
  readonly account: ServerAccount;
  readonly binaries: Binaries;
}

/** The longest path of a Unix socket is 107 bytes on Linux and 103 on macOS, and PostgreSQL adds its file name. */
const longestSocketDirectory = 103 - '/.s.PGSQL.5432.lock'.length;

/**
 * Makes or opens the PostgreSQL data folder that belongs to `home`.
 *
 * Started as root from a folder that other accounts cannot enter (a home with mode 0700), the data stands in
 * /var/lib/inlay instead. Its name there is written in a file inside `home`: who deletes `home` leaves that
 * database behind and gets a new one, also at the same path.
 */
export async function prepareCluster(home: string): Promise<Cluster> {
  const root = await rootFor(home);
  const dataDirectory = path.join(root, 'data');
  const account = serverAccount(await ownerOf(dataDirectory));
  const binaries = await findBinaries(account, home === path.dirname(root) ? home : shelf);
  await makeOwned(root, account, 0o755);
  const cluster: Cluster = {
    dataDirectory,
    socketDirectory: await makeSocketDirectory(root, account),
    logFile: path.join(root, 'postgresql.log'),
    account,
    binaries,
  };
  await initialize(cluster);
  await writeAccessRules(cluster);
  return cluster;
}

/** Where root may put things that other accounts must reach. */
const shelf = '/var/lib/inlay';

/** Where the data is stays as it was chosen at first, whatever becomes of the modes of the folders above. */
async function rootFor(home: string): Promise<string> {
  const inPlace = path.join(home, 'postgres');
  if (process.getuid?.() !== 0) return inPlace;
  const idFile = path.join(home, 'database-id');
  const id = await readIfExists(idFile);
  if (id !== undefined) return path.join(await makeShelf(id.trim()), 'postgres');
  const isReachable = await isReachableByAll(home);
  if (isReachable) return inPlace;
  if ((await ownerOf(inPlace)) !== undefined) {
    throw new StartupError(
      `The account that PostgreSQL runs as cannot enter "${home}" any more. Let it pass: chmod o+x on that folder and those above it.`,
    );
  }
  const newId = randomBytes(8).toString('hex');
  await writeFile(idFile, `${newId}\n`, { flag: 'wx', mode: 0o600 });
  return path.join(await makeShelf(newId), 'postgres');
}

async function makeShelf(id: string): Promise<string> {
  if (!/^[0-9a-f]{16}$/.test(id)) {
    throw new StartupError(
      `The file "database-id" in the data folder names no database ("${id.slice(0, 40)}"). Restore it, or delete it to start with a new database.`,
    );
  }
  const folder = path.join(shelf, id);
  await makeDataFolder(folder);
  if (await isReachableByAll(folder)) return folder;
  throw new StartupError(
    `The account that PostgreSQL runs as cannot enter "${folder}". Let it pass: chmod o+x ${shelf}.`,
  );
}

async function readIfExists(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

async function ownerOf(directory: string): Promise<ServerAccount | undefined> {
  try {
    const { uid, gid } = await stat(directory);
    return { uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeOwned(directory: string, account: ServerAccount, mode: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode });
  if (account.uid !== undefined && account.gid !== undefined) {
    await chown(directory, account.uid, account.gid);
    await chmod(directory, mode);
  }
}

async function makeSocketDirectory(root: string, account: ServerAccount): Promise<string> {
  const besideData = path.join(root, 'socket');
  if (Buffer.byteLength(besideData) <= longestSocketDirectory) {
    await makeOwned(besideData, account, 0o700);
    return besideData;
  }
  const short = path.join('/tmp', `inlay-${shortHash(root)}`);
  await makeOwned(short, account, 0o700);
  // /tmp is everybody's: a folder that somebody else put there is not ours to use.
  const found = await lstat(short);
  if (!found.isDirectory() || found.uid !== (account.uid ?? process.getuid?.())) {
    throw new StartupError(
      `"${short}" belongs to another user, and PostgreSQL's socket must go there because "${besideData}" is too long a path. Delete it, or set INLAY_DATA_DIR to a shorter path.`,
    );
  }
  return short;
}

async function initialize(cluster: Cluster): Promise<void> {
  const { dataDirectory, account, binaries } = cluster;
  const existing = await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw unreadable(dataDirectory, error);
    },
  );
  if (existing !== undefined) {
    if (existing.trim() === binaries.major) return;
    throw new StartupError(
      `The database in "${dataDirectory}" was made by PostgreSQL ${existing.trim()}, and this version of Inlay brings PostgreSQL ${binaries.major}. Move the data with pg_dump and pg_restore, or set DATABASE_URL to a server of yours.`,
    );
  }
  // Made under another name and renamed, so that a start cut short leaves nothing that looks like a database.
  const draft = `${dataDirectory}.new`;
  await rm(draft, { recursive: true, force: true });
  await makeOwned(draft, account, 0o700);
  const options = ['--username=postgres', '--auth=peer', '--encoding=UTF8', '--locale=C'];
  const builtinLocale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  await runInitdb(binaries.initdb, ['-D', draft, ...options, ...builtinLocale], cluster);
  await rename(draft, dataDirectory);
}

function unreadable(directory: string, cause: NodeJS.ErrnoException): StartupError {
  return new StartupError(
    `The database folder "${directory}" belongs to another user (${cause.code}). Start Inlay as the user who started it first, or set INLAY_DATA_DIR to a folder of yours.`,
    { cause },
  );
}

async function runInitdb(initdb: string, args: readonly string[], { account }: Cluster): Promise<void> {
  const { code, said } = await new Promise<{ code: number | null; said: string }>((resolve, reject) => {
    const child = spawn(initdb, args, {
      ...account,
      cwd: tmpdir(),
      env: { LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said }));
  });
  if (code !== 0) throw new StartupError(`PostgreSQL could not create its data folder: ${said.trim()}`);
}

/**
 * Who may connect: over the socket only, and only the account that runs Inlay (the kernel tells PostgreSQL who
 * is calling), so there is no password to keep. Written at every start, since that account may change.
 */
async function writeAccessRules({ dataDirectory, account }: Cluster): Promise<void> {
  const rules = {
    'pg_hba.conf': 'local all all peer map=inlay\n',
    'pg_ident.conf': `inlay "${ourAccountName()}" all\n`,
  };
  for (const [name, text] of Object.entries(rules)) {
    const file = path.join(dataDirectory, name);
    if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
    await writeFile(file, text, { mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      throw unreadable(dataDirectory, error);
    });
    if (account.uid !== undefined && account.gid !== undefined) await chown(file, account.uid, account.gid);
  }
}
