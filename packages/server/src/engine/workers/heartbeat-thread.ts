import { parentPort, workerData } from 'node:worker_threads';
import { Client } from 'pg';

/**
 * The program of the heartbeat thread: one row a second on a connection of its own, so that neither a full pool nor
 * a node that keeps the main thread busy makes a healthy worker look dead. It stops on its own when the main thread
 * has not moved for a minute: that is no busy node, that is a hang.
 */
const { url, workerId, pulse } = workerData as { url: string; workerId: string; pulse: Int32Array };

const everyMs = 1_000;
const hungAfterBeats = 60;
let lastPulse = 0;
let beatsWithoutPulse = 0;
let client: Client | undefined;

async function connect(): Promise<Client> {
  const fresh = new Client({ connectionString: url, application_name: 'inlay-heartbeat' });
  // Reported by the next query; without a listener it would end the process.
  fresh.on('error', () => {
    client = undefined;
  });
  await fresh.connect();
  return fresh;
}

async function beat(): Promise<void> {
  const now = Atomics.load(pulse, 0);
  beatsWithoutPulse = now === lastPulse ? beatsWithoutPulse + 1 : 0;
  lastPulse = now;
  if (beatsWithoutPulse >= hungAfterBeats) return;
  try {
    client ??= await connect();
    const { rowCount } = await client.query(
      'update worker set heartbeat_at = clock_timestamp() where id = $1 and is_alive',
      [workerId],
    );
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    if (rowCount === 0) parentPort?.postMessage('lost');
  } catch {
    // The database is away. The next beat connects again; if it stays away the others declare this worker dead.
    client = undefined;
  }
}

async function live(): Promise<void> {
  for (;;) {
    const startedAt = performance.now();
    await beat();
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(0, everyMs - (performance.now() - startedAt))),
    );
  }
}

void live();
