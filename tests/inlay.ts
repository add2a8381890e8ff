import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTestDatabase } from '../packages/server/src/db/testing.ts';

/**
 * The real program in a child process, as its user starts it: own data folder, own ports, own PostgreSQL.
 * Whole-system tests know Inlay only by what this returns.
 */
export interface RunningInlay {
  /** `http://localhost:<port>`: API, dashboard and portal. */
  readonly url: string;
  readonly acmeUrl: string;
  readonly keys: { readonly test: string; readonly production: string };
  readonly owner: { readonly email: string; readonly password: string };
  readonly demo: { readonly linkedAccountId: string; readonly portalUrl: string };
  readonly dataDir: string;
  readonly child: ChildProcess;
  /** What it printed to stderr so far. */
  log(): string;
  /** Calls the API with a key of the test environment unless the headers say otherwise; never throws on a status. */
  call(method: string, route: string, options?: CallOptions): Promise<Answer>;
  /** SIGTERM, waits for the end, deletes the data folder. */
  stop(): Promise<void>;
}

interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly linkedAccountId?: string;
  /** A session token; then no API key is sent. */
  readonly token?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers of every shape; asserting on them is what checks the shape.
  // oxlint-disable-next-line typescript/no-explicit-any -- the point of these tests is to see what really came
  readonly body: any;
}

const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');
/** What scripts/start.sh starts it with. */
const compileCache = path.resolve(import.meta.dirname, '../node_modules/.cache/node-compile');
const nodeFlags = path.resolve(import.meta.dirname, '../scripts/node-flags');

export async function startInlay(
  options: {
    readonly args?: readonly string[];
    readonly env?: Record<string, string>;
    readonly dataDir?: string;
    /** A database of the server that all tests share: where how Inlay keeps its own is not the point, it is sooner there. */
    readonly isOnTestServer?: boolean;
  } = {},
): Promise<RunningInlay> {
  const dataDir = options.dataDir ?? (await makeDataDir());
  const database = options.isOnTestServer === true ? await createTestDatabase() : undefined;
  const port = await freePort();
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: compileCache,
    INLAY_DATA_DIR: dataDir,
    INLAY_PORT: String(port),
    INLAY_ACME_PORT: String(await freePort()),
    INLAY_LOG_LEVEL: 'warn',
    ...(database !== undefined && { DATABASE_URL: database.url }),
    ...options.env,
  };
  const flags = (await readFile(nodeFlags, 'utf8')).trim().split(' ');
  const child = spawn(process.execPath, [...flags, cli, 'start', ...(options.args ?? [])], { env });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'exit');

  await Promise.race([
    until(() => stdout.includes('/reference')),
    ended.then(() => {
      throw new Error(`Inlay ended before it was ready:\n${stdout}\n${stderr}`);
    }),
  ]);
  const state = await readStatus(env);
  const url = `http://localhost:${port}`;

  return {
    url,
    acmeUrl: state.acmeCrm,
    keys: state.keys,
    owner: state.owner,
    demo: state.demo,
    dataDir,
    child,
    log: () => stderr,
    async call(method, route, { body, headers, linkedAccountId, token } = {}) {
      // Set one by one: two spellings of one header name are one header.
      const all = new Headers(
        token === undefined ? { 'x-api-key': state.keys.test } : { authorization: `Bearer ${token}` },
      );
      if (body !== undefined) all.set('content-type', 'application/json');
      if (linkedAccountId !== undefined) all.set('linked_account_id', linkedAccountId);
      for (const [name, value] of Object.entries(headers ?? {})) all.set(name, value);
      const answer = await fetch(url + route, {
        method,
        headers: all,
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: parse(text) };
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await ended;
      }
      await database?.drop();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Open to other accounts: started as root, PostgreSQL runs as one of them. */
async function makeDataDir(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-'));
  await chmod(folder, 0o755);
  return folder;
}

interface Status {
  acmeCrm: string;
  keys: RunningInlay['keys'];
  owner: RunningInlay['owner'];
  demo: RunningInlay['demo'];
}

/** The run state file is what `status` reads; it also holds the owner's sign-in, which `status --json` leaves out. */
async function readStatus(env: Record<string, string | undefined>): Promise<Status> {
  const file = path.join(env['INLAY_DATA_DIR'] ?? '', 'run/state.json');
  return JSON.parse(await readFile(file, 'utf8')) as Status;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Waits for a condition, checking often; fails with what it waited for. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 60_000, what = condition.toString() }: { timeoutMs?: number; what?: string } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  server.close();
  await once(server, 'close');
  return address.port;
}
