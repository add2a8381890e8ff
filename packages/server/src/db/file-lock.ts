import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FileLock {
  release(): void;
}

/**
 * Takes an exclusive lock on a file, or answers undefined when another process holds it. The kernel frees the lock
 * with the process that holds it, however that ends, so there is no stale lock to judge. (Node has no flock;
 * SQLite's transaction lock is one.)
 */
export function tryFileLock(file: string): FileLock | undefined {
  const holder = new DatabaseSync(file);
  try {
    holder.exec('pragma journal_mode = off; begin exclusive');
  } catch (error) {
    holder.close();
    const busy = 5;
    if ((error as { errcode?: number }).errcode === busy) return undefined;
    throw error;
  }
  return { release: () => holder.close() };
}

/** Runs `work` while holding the lock, waiting for it first. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  let lock = tryFileLock(file);
  while (lock === undefined) {
    await sleep(20);
    lock = tryFileLock(file);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
