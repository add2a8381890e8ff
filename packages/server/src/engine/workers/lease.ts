import { hostname } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Pool } from 'pg';
import { insertWorker } from '#db/worker';
import { newId } from '#domain/ids';

/** A worker's right to run: its row in `worker` and the thread that keeps it fresh. */
export interface Lease {
  readonly workerId: string;
  /** Tells the heartbeat that the main thread is moving. */
  pulse(): void;
  /** Ends the heartbeat; the row stays for whoever declares it dead. */
  close(): Promise<void>;
}

interface LeaseDeps {
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly role: string;
  readonly slots: number;
  /** The program of the heartbeat; tests pass one that dies. */
  readonly heartbeatProgram?: URL | undefined;
}

/**
 * Registers a new worker and starts its heartbeat.
 *
 * @param onLost - called when the heartbeat finds the worker declared dead, or ends itself, whatever the reason:
 *   nobody would keep the row fresh any longer
 */
export async function takeLease(deps: LeaseDeps, onLost: () => void): Promise<Lease> {
  const workerId = newId();
  const { role, slots } = deps;
  await insertWorker(deps.pool, workerId, { role, host: hostname(), pid: process.pid, slots });
  const pulse = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(deps.heartbeatProgram ?? new URL('heartbeat-thread.ts', import.meta.url), {
    workerData: { url: deps.databaseUrl, workerId, pulse },
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  thread.unref();
  let isClosed = false;
  thread.on('message', onLost);
  // What killed it comes as an error first; the exit behind it is what tells.
  thread.on('error', () => undefined);
  thread.on('exit', () => {
    if (!isClosed) onLost();
  });
  return {
    workerId,
    pulse() {
      Atomics.add(pulse, 0, 1);
    },
    async close() {
      isClosed = true;
      await thread.terminate();
    },
  };
}
