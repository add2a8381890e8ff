import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const here = import.meta.dirname;
const nobody = '65534';

/** A way to start a sandbox process; the strictest that this machine allows is found by trying. */
export interface Jail {
  readonly name: string;
  readonly command: readonly string[];
}

/**
 * All ways to start the process, the strictest first. Node's permission model (no files but its own, no child
 * processes, no workers) is in all of them; a network namespace of its own takes the network away, which Node
 * 24 cannot; as root the process becomes `nobody` and can never regain rights.
 */
export function possibleJails(): Jail[] {
  const node = [
    process.execPath,
    '--permission',
    '--allow-addons', // isolated-vm is one; nothing else can be read to be loaded
    ...readableFiles().map((file) => `--allow-fs-read=${file}`),
    '--max-old-space-size=192',
    '--no-warnings',
    join(here, 'child.ts'),
    addonPath(),
  ];
  const isRoot = process.getuid?.() === 0;
  const unshare = findProgram('unshare');
  const setpriv = findProgram('setpriv');
  const asNobody =
    isRoot && setpriv !== undefined
      ? [setpriv, `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs', '--']
      : [];
  const noNetwork =
    unshare === undefined
      ? []
      : [unshare, ...(isRoot ? ['--net'] : ['--user', '--map-current-user', '--net']), '--'];
  const walls = [
    [noNetwork, asNobody],
    [asNobody, []],
    [noNetwork, []],
    [[], []],
  ];
  const jails = walls.map((pair): Jail => {
    const names = [
      ...(pair.includes(noNetwork) && noNetwork.length > 0 ? ['own network namespace'] : []),
      ...(pair.includes(asNobody) && asNobody.length > 0 ? ['own user'] : []),
    ];
    return { name: names.join(' and ') || 'permission model only', command: [...pair.flat(), ...node] };
  });
  // Where a program is missing, two ways are the same one.
  return jails.filter((jail, index) => jails.findIndex(({ name }) => name === jail.name) === index);
}

/** Starts a process in a jail: no environment at all, three pipes, nothing inherited. */
export function startJailed(jail: Jail): ChildProcess {
  const [program, ...args] = jail.command as [string, ...string[]];
  return spawn(program, args, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
}

function readableFiles(): string[] {
  return [
    join(here, 'child.ts'),
    join(here, 'frames.ts'),
    join(here, 'pure-functions.ts'),
    join(here, '..', '..', 'package.json'),
    addonPath(),
  ];
}

function addonPath(): string {
  const { path } = require('node-gyp-build') as { path: (folder: string) => string };
  return path(join(require.resolve('isolated-vm/package.json'), '..'));
}

function findProgram(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin']
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false; // not there is the common answer
      }
    });
}
