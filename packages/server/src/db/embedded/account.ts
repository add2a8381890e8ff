import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';

/** The operating-system account that PostgreSQL runs as; undefined ids mean "as we are". */
export interface ServerAccount {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * PostgreSQL refuses to run as root, so root lends it an account that every system has. Not `nobody` where there
 * is a choice: customer code runs as `nobody`, and must not own the data files.
 */
export function serverAccount(dataDirectoryOwner?: ServerAccount): ServerAccount {
  if (process.getuid?.() !== 0) return {};
  if (dataDirectoryOwner?.uid !== undefined && dataDirectoryOwner.uid !== 0) return dataDirectoryOwner;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['daemon', 'nobody']) {
    const entry = accounts.find((fields) => fields[0] === name);
    const [uid, gid] = [Number(entry?.[2]), Number(entry?.[3])];
    if (uid > 0 && gid >= 0) return { uid, gid };
  }
  return { uid: 65534, gid: 65534 };
}

/** Who we are to PostgreSQL's peer authentication. */
export function ourAccountName(): string {
  return userInfo().username;
}

/** Whether every folder on the way to `target` may be entered by an account that owns none of them. */
export async function isReachableByAll(target: string): Promise<boolean> {
  for (let directory = path.resolve(target); ; directory = path.dirname(directory)) {
    try {
      if (((await stat(directory)).mode & 0o001) === 0) return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (directory === path.dirname(directory)) return true;
  }
}
