import { parseArgs } from 'node:util';
import { createLogger } from '#boot/logger';
import { banner } from '#cli/banner';
import { loadConfig } from '#config';
import { startInlay } from '#main';

const drainLimitMs = 9_500;
/** The launcher and the terminal may both deliver one Ctrl-C. */
const sameSignalMs = 500;

/** `inlay start`: runs until SIGINT or SIGTERM, then finishes what is under way; a second signal ends it at once. */
export async function start(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      role: { type: 'string' },
      port: { type: 'string' },
      demo: { type: 'boolean' },
    },
    allowNegative: true,
  });
  const config = loadConfig(values);
  const log = createLogger(config);
  const stop = stopSignal();
  const inlay = await startInlay(config, log);
  process.stdout.write(banner(inlay.state));

  await stop;
  process.stdout.write('\nStopping...\n');
  setTimeout(() => {
    process.stderr.write('Some work did not finish in time; it continues at the next start.\n');
    process.exit(0);
  }, drainLimitMs).unref();
  await inlay.stop();
  log.flush();
  // A library may have left a timer; everything of ours is closed.
  setImmediate(() => process.exit(0));
  return 0;
}

/** Resolves at the first signal; a later one, from a user who will not wait, ends the process. */
function stopSignal(): Promise<void> {
  let since: number | undefined;
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (since !== undefined && performance.now() - since > sameSignalMs) process.exit(130);
        since ??= performance.now();
        resolve();
      });
    }
  });
}
