import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { makeDataFolder } from '#db/data-folder';
import { tryFileLock } from '#db/file-lock';
import { StartupError } from '#domain/startup-error';

/** What a running Inlay tells about itself; `status` shows it. Holds keys: the file is for its owner only. */
const runState = z.object({
  pid: z.number(),
  version: z.string(),
  role: z.enum(['all', 'api', 'worker']),
  startedAt: z.string(),
  listening: z.string(),
  api: z.string(),
  dashboard: z.string(),
  portal: z.string(),
  reference: z.string(),
  acmeCrm: z.string().nullable(),
  database: z.enum(['embedded', 'external']),
  /** Of the embedded one: a socket, without a password. */
  databaseUrl: z.string().nullable(),
  owner: z.object({ email: z.string(), password: z.string() }).nullable(),
  keys: z.object({ test: z.string(), production: z.string() }).nullable(),
  demo: z.object({ linkedAccountId: z.string(), portalUrl: z.string() }).nullable(),
});
export type RunState = z.infer<typeof runState>;

/** This process's claim on a data folder. */
export interface Instance {
  publish(state: RunState): Promise<void>;
  release(): Promise<void>;
}

/**
 * Claims the data folder: one process with an API per folder. A worker joins without a claim.
 *
 * @throws StartupError when another process has it
 */
export async function claimDataFolder(dataDir: string, isWorkerOnly: boolean): Promise<Instance> {
  const folder = runFolder(dataDir);
  try {
    await makeDataFolder(dataDir);
    await mkdir(folder, { mode: 0o700 }).catch(ignoreExisting);
  } catch (error) {
    throw new StartupError(
      `The data folder "${dataDir}" cannot be written (${(error as NodeJS.ErrnoException).code}). Give it to the user who starts Inlay, or set INLAY_DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  if (isWorkerOnly) return { publish: () => Promise.resolve(), release: () => Promise.resolve() };

  const lock = openLock(path.join(folder, 'instance.lock'), dataDir);
  if (lock === undefined) {
    const other = await readRunState(dataDir);
    const which = other === undefined ? '' : ` (process ${other.pid}, ${other.dashboard})`;
    throw new StartupError(
      `Inlay runs already on the data folder "${dataDir}"${which}. Stop it first, or set INLAY_DATA_DIR and INLAY_PORT to start a second one. More workers on the same data: npm start -- --role worker.`,
    );
  }
  const file = stateFile(dataDir);
  await rm(file, { force: true }); // of a process that was killed
  return {
    async publish(state) {
      const draft = `${file}.new`;
      await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
      await rename(draft, file);
    },
    async release() {
      await rm(file, { force: true });
      lock.release();
    },
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

function openLock(file: string, dataDir: string): ReturnType<typeof tryFileLock> {
  try {
    return tryFileLock(file);
  } catch (error) {
    throw new StartupError(
      `The data folder "${dataDir}" cannot be locked (${(error as Error).message}). Give it to the user who starts Inlay, or set INLAY_DATA_DIR to another folder.`,
      { cause: error },
    );
  }
}

/** What the last start published; undefined when none did, or it has ended in good order. */
export async function readRunState(dataDir: string): Promise<RunState | undefined> {
  try {
    return runState.parse(JSON.parse(await readFile(stateFile(dataDir), 'utf8')));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    if (code === 'EACCES') {
      throw new StartupError(
        `The state of the running Inlay ("${stateFile(dataDir)}") belongs to another user. Ask as the user who started it.`,
        { cause: error },
      );
    }
    throw error;
  }
}

const runFolder = (dataDir: string): string => path.join(dataDir, 'run');
const stateFile = (dataDir: string): string => path.join(runFolder(dataDir), 'state.json');
