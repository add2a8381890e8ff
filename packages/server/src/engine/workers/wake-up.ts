import { Client, type Pool } from 'pg';

const channel = 'inlay_queue';
/**
 * At most this often. NOTIFY takes a lock of the whole database until its commit is on disk, so it never goes with
 * the transactions that queue, but alone and after them.
 */
const notifyEveryMs = 20;
const reconnectAfterMs = 1_000;

/** Tells other processes, some milliseconds later and many calls at once, that there is work in the queue. */
export interface WakeUpSender {
  send(): void;
  close(): Promise<void>;
}

export function wakeUpSender(pool: Pool, onError: (error: unknown) => void): WakeUpSender {
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let isWanted = false;

  function send(): void {
    isWanted = true;
    if (timer === undefined && sending === undefined) sending = notify();
  }

  /** The first goes at once, the next after a pause; one that fails is left to the look that workers take anyway. */
  async function notify(): Promise<void> {
    isWanted = false;
    await pool.query(`notify ${channel}`).catch(onError);
    sending = undefined;
    timer = setTimeout(() => {
      timer = undefined;
      if (isWanted) send();
    }, notifyEveryMs);
    timer.unref();
  }

  return {
    send,
    async close() {
      clearTimeout(timer);
      timer = undefined;
      await sending;
    },
  };
}

/**
 * Listens on a connection of its own, and connects again when it breaks. What is missed meanwhile is found by the
 * look that workers take anyway.
 */
export function listenForWakeUps(
  databaseUrl: string,
  onWakeUp: () => void,
): { /** Whether wake-ups arrive now. */ isListening(): boolean; close(): Promise<void> } {
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isListening = false;
  let isClosed = false;

  async function listen(): Promise<void> {
    const fresh = new Client({
      connectionString: databaseUrl,
      application_name: 'inlay-listen',
      keepAlive: true,
    });
    client = fresh;
    fresh.on('error', () => lost(fresh));
    fresh.on('end', () => lost(fresh));
    fresh.on('notification', onWakeUp);
    try {
      await fresh.connect();
      await fresh.query(`listen ${channel}`);
      isListening = true;
      // Something may have come while nobody listened.
      onWakeUp();
    } catch {
      lost(fresh);
    }
  }

  function lost(broken: Client): void {
    if (broken !== client) return;
    client = undefined;
    isListening = false;
    void broken.end().catch(() => undefined); // it is broken already
    if (isClosed) return;
    timer = setTimeout(() => void listen(), reconnectAfterMs);
    timer.unref();
  }

  void listen();
  return {
    isListening: () => isListening,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      const last = client;
      client = undefined;
      await last?.end().catch(() => undefined); // it may never have connected
    },
  };
}
