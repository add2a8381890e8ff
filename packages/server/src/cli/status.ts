import { parseArgs } from 'node:util';
import { request, type RequestOptions } from 'node:http';
import { z } from 'zod';
import { readRunState, type RunState } from '#boot/instance';
import { banner } from '#cli/banner';
import { fleetTable } from '#cli/fleet-table';
import { loadConfig } from '#config';
import { readFleet, type Fleet } from '#db/fleet';
import { createPool } from '#db/pool';

/** `inlay status`: 0 and the facts when Inlay runs on this data folder, else 1. */
export async function status(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' } } });
  const { dataDir, databaseUrl } = loadConfig();
  const state = await readRunState(dataDir);
  const isRunning = state !== undefined && isAlive(state.pid) && (await isHealthy(state));
  if (!isRunning) {
    const hint = 'Start it with: npm start';
    process.stdout.write(
      values.json === true
        ? `${JSON.stringify({ running: false, hint })}\n`
        : `Inlay does not run on the data folder "${dataDir}". ${hint}\n`,
    );
    return 1;
  }
  const current = { ...state, demo: await freshDemo(state) };
  const fleet = await fleetAt(databaseUrl ?? state.databaseUrl);
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify({ ...facts(current), ...fleet }, null, 2)}\n`
      : banner(current) + (fleet === undefined ? '' : fleetTable(fleet)),
  );
  return 0;
}

/** What all processes on this database do; undefined when it does not answer. */
async function fleetAt(url: string | null): Promise<Fleet | undefined> {
  if (url === null) return undefined;
  const pool = createPool({ url, max: 1, applicationName: 'inlay-status' });
  try {
    return await readFleet(pool);
  } catch {
    return undefined;
  } finally {
    await pool.end();
  }
}

/** The facts for programs. The owner's password is for people: the banner shows it. */
function facts({ api, dashboard, portal, acmeCrm, database, version, keys, demo }: RunState): object {
  return { running: true, api, dashboard, portal, acmeCrm, database, version, keys, demo };
}

/** A portal link belongs to the first browser that opens it, so each call makes one; null once the customer is gone. */
async function freshDemo({ listening, keys, demo }: RunState): Promise<RunState['demo']> {
  if (demo === null || keys === null) return null;
  const answer = await ask(`${listening}/api/v2/public/connect-url`, {
    method: 'POST',
    headers: { 'x-api-key': keys.test, linked_account_id: demo.linkedAccountId },
  });
  if (answer?.status !== 200) return null;
  const { hosted_url: portalUrl } = z.object({ hosted_url: z.string() }).parse(JSON.parse(answer.body));
  return { linkedAccountId: demo.linkedAccountId, portalUrl };
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
async function isHealthy({ listening }: RunState): Promise<boolean> {
  return (await ask(`${listening}/healthz`))?.status === 200;
}

/** One request to our own server; undefined when it does not answer. */
function ask(
  url: string,
  options: RequestOptions = {},
): Promise<{ status: number | undefined; body: string } | undefined> {
  return new Promise((resolve) => {
    const call = request(url, { ...options, timeout: 3_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.once('end', () => resolve({ status: answer.statusCode, body }));
      answer.once('error', () => resolve(undefined));
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(undefined));
    call.end();
  });
}
