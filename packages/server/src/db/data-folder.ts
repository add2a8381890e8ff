import { chmod, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Others may pass through, not look around: started as root, PostgreSQL runs as another account and must reach
 * its data below. What is secret inside has a mode of its own.
 */
const passable = 0o711;

/**
 * Makes the data folder and what is missing above it; a folder that exists keeps its mode.
 *
 * Not `mkdir` with `recursive`: below a folder such as /proc, which answers "no such file" when something is made
 * in it, Node tries for ever.
 */
export async function makeDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
    await chmod(folder, passable); // whatever the umask took away
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = path.dirname(folder);
    if (code !== 'ENOENT' || parent === folder || (await exists(parent))) throw error;
    await makeDataFolder(parent);
    await makeDataFolder(folder);
  }
}

async function exists(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
