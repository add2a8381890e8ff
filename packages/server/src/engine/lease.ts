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

/**
 * Registers a new worker and starts its heartbeat.
 *
 * @param onLost - called when the heartbeat finds the worker declared dead
 */
export async function takeLease(pool: Pool, databaseUrl: string, onLost: () => void): Promise<Lease> {
  const workerId = newId();
  await insertWorker(pool, workerId);
  const pulse = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(new URL('heartbeat-thread.ts', import.meta.url), {
    workerData: { url: databaseUrl, workerId, pulse },
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  thread.unref();
  thread.on('message', onLost);
  thread.on('error', onLost);
  return {
    workerId,
    pulse() {
      Atomics.add(pulse, 0, 1);
    },
    async close() {
      await thread.terminate();
    },
  };
}
