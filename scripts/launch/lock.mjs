import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataDirectory, say, Stop } from './paths.mjs';

/**
 * Runs `work` while no other launcher of this checkout holds the same lock. The lock is a directory (making one
 * is atomic on every file system) that names its owner, so the lock of a killed launcher is taken over.
 */
export async function exclusively(name, work, { timeoutMs = 600_000 } = {}) {
  const lock = path.join(dataDirectory(), `${name}.lock`);
  const deadline = Date.now() + timeoutMs;
  let told = false;
  while (!take(lock)) {
    if (Date.now() > deadline) {
      throw new Stop(`Another launch has held "${lock}" for too long. If none runs, delete that folder.`);
    }
    if (!told) say('Waiting for another launch to finish the same step...');
    told = true;
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function take(lock) {
  try {
    mkdirSync(lock);
    writeFileSync(path.join(lock, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    removeIfAbandoned(lock);
    return false;
  }
}

function removeIfAbandoned(lock) {
  try {
    const { ino, mtimeMs } = statSync(lock);
    let pid;
    try {
      pid = Number(readFileSync(path.join(lock, 'pid'), 'utf8'));
    } catch {
      // Its owner is about to write its pid, or died before it could.
      if (Date.now() - mtimeMs < 5_000) return;
    }
    if (pid && isAlive(pid)) return;
    // Renaming lets one of several waiting launchers win; the inode tells that it was still the abandoned one.
    const aside = `${lock}.${process.pid}`;
    renameSync(lock, aside);
    if (statSync(aside).ino !== ino) renameSync(aside, lock);
    else rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
