import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { RunningInlay } from '../tests/inlay.ts';

const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');

/** Starts worker processes on the database of a running Inlay; they claim as soon as they are up. */
export function startWorkers(
  inlay: RunningInlay,
  count: number,
  env: Readonly<Record<string, string>> = {},
): { stop(): Promise<void> } {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [cli, 'start', '--role', 'worker'], {
      env: { ...process.env, INLAY_DATA_DIR: inlay.dataDir, INLAY_LOG_LEVEL: 'warn', ...env },
      stdio: 'ignore',
    }),
  );
  return {
    async stop() {
      for (const child of children) {
        if (child.exitCode !== null) continue;
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    },
  };
}
