import { parseArgs } from 'node:util';
import { request } from 'node:http';
import { readRunState, type RunState } from '#boot/instance';
import { banner } from '#cli/banner';
import { loadConfig } from '#config';

/** `inlay status`: 0 and the facts when Inlay runs on this data folder, else 1. */
export async function status(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' } } });
  const { dataDir } = loadConfig();
  const state = await readRunState(dataDir);
  const isRunning = state !== undefined && isAlive(state.pid) && (await answers(state));
  if (!isRunning) {
    const hint = 'Start it with: npm start';
    process.stdout.write(
      values.json === true
        ? `${JSON.stringify({ running: false, hint })}\n`
        : `Inlay does not run on the data folder "${dataDir}". ${hint}\n`,
    );
    return 1;
  }
  const { owner: _owner, ...facts } = state;
  process.stdout.write(
    values.json === true ? `${JSON.stringify({ running: true, ...facts }, null, 2)}\n` : banner(state),
  );
  return 0;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The number of a killed process may be another program's by now, so the API itself is asked. */
function answers({ listening }: RunState): Promise<boolean> {
  return new Promise((resolve) => {
    const ask = request(`${listening}/healthz`, { timeout: 3_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    ask.once('timeout', () => ask.destroy());
    ask.once('error', () => resolve(false));
    ask.end();
  });
}
