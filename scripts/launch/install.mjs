import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exclusively } from './lock.mjs';
import { findNode, nodeInstalled } from './node24.mjs';
import { npmCommand } from './npm.mjs';
import { checkout, say, Stop } from './paths.mjs';
import { capture } from './run.mjs';

const modules = path.join(checkout, 'node_modules');
/** Inside node_modules, so that deleting the folder deletes the claim that it is complete. */
const stampFile = path.join(modules, '.inlay-ready.json');

/**
 * Makes sure that the dependencies of the lockfile are installed.
 *
 * @returns the path of the Node 24 that runs the product
 */
export async function ensureInstalled() {
  const ready = readReady();
  if (ready !== undefined) return ready;
  return exclusively('install', async () => {
    const readyMeanwhile = readReady();
    if (readyMeanwhile !== undefined) return readyMeanwhile;
    if (!matchesLockfile()) await install();
    const node = await findNode();
    writeFileSync(stampFile, JSON.stringify({ lockfile: lockfileHash(), node }));
    return node;
  });
}

function readReady() {
  try {
    const { lockfile, node } = JSON.parse(readFileSync(stampFile, 'utf8'));
    return lockfile === lockfileHash() && nodeInstalled(node) ? node : undefined;
  } catch {
    return undefined; // no stamp, or one that was cut short: install again
  }
}

function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(path.join(checkout, 'package-lock.json')))
    .digest('hex');
}

/** Somebody may have run npm by hand: what npm recorded then is compared with the lockfile. */
function matchesLockfile() {
  const record = path.join(modules, '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(path.join(checkout, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([where, entry]) =>
      !where.startsWith('node_modules/') ||
      entry.link ||
      (installed[where] === undefined
        ? entry.optional === true || entry.devOptional === true
        : installed[where].version === entry.version),
  );
}

async function install() {
  say('Installing dependencies (once, about half a minute)...');
  const [command, ...before] = npmCommand();
  // Scripts stay off: npm asks about them or blocks them by version, and nothing we use needs one.
  // Dev and optional packages stay on even where NODE_ENV or a user's npmrc turns them off: Node itself is one.
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const quiet = ['--engine-strict=false', '--loglevel=error', '--no-update-notifier'];
  let result;
  try {
    result = await capture(command, [...before, ...args, ...quiet], { cwd: checkout });
  } catch (error) {
    throw new Stop(
      `npm could not be run (${error.code}). Install npm, which comes with Node.js, and try again.`,
    );
  }
  if (result.code !== 0) {
    throw new Stop(
      `npm could not install the dependencies. What it said:\n\n${result.output.trim()}\n\n` +
        'Check the connection to the npm registry (npm config get registry) and the free disk space, then run the same command again.',
    );
  }
}
