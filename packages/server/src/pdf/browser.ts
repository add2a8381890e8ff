import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** A browser that has no network: it speaks with us over two pipes (the DevTools protocol), and with nobody else. */
export interface Browser {
  /** Sends a command; `session` names the page. @throws Error with the browser's own text */
  send(method: string, params?: object, session?: string): Promise<Record<string, unknown>>;
  onEvent(
    listen: (method: string, params: Record<string, unknown>, session: string | undefined) => void,
  ): void;
  close(): Promise<void>;
}

const nobody = 65_534;

/**
 * Starts Chromium for one document, with a profile of its own that is deleted afterwards. Where the machine allows it,
 * the process has a network namespace of its own, in which there is no network; everywhere, every host name resolves
 * to nothing and every request is answered by us (pdf/render). Started by root it runs as `nobody`.
 */
export async function startBrowser(executable: string): Promise<Browser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'inlay-pdf-'));
  if (process.getuid?.() === 0) await chown(profile, nobody, nobody);
  const child = spawnBrowser(executable, profile);
  const [, , , toBrowser, fromBrowser] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const asked = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const listeners: Parameters<Browser['onEvent']>[0][] = [];
  let last = 0;
  let ended: Error | undefined;

  const end = (reason: Error): void => {
    ended ??= reason;
    for (const waiting of asked.values()) waiting.reject(ended);
    asked.clear();
  };
  child.on('error', end);
  child.on('exit', () => end(new Error('the browser ended')));
  toBrowser.on('error', end);
  readMessages(fromBrowser, (message) => {
    if (message.id === undefined) {
      for (const listen of listeners) listen(message.method ?? '', message.params ?? {}, message.sessionId);
      return;
    }
    const waiting = asked.get(message.id);
    asked.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result ?? {});
    else waiting?.reject(new Error(message.error.message));
  });

  return {
    send(method, params = {}, sessionId) {
      if (ended !== undefined) return Promise.reject(ended);
      last += 1;
      const answer = Promise.withResolvers<Record<string, unknown>>();
      asked.set(last, answer);
      toBrowser.write(`${JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) })}\0`);
      return answer.promise;
    },
    onEvent: (listen) => void listeners.push(listen),
    async close() {
      end(new Error('closed'));
      killGroup(child);
      // The processes of the group may still be writing for a moment.
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

function spawnBrowser(executable: string, profile: string): ChildProcess {
  const isRoot = process.getuid?.() === 0;
  const flags = [
    '--headless=new',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    '--no-first-run',
    '--disable-gpu',
    '--disable-extensions',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
    '--mute-audio',
    // Whatever slips past the interception of requests finds no host and no proxy.
    '--host-resolver-rules=MAP * ~NOTFOUND',
    '--proxy-server=http://127.0.0.1:9',
    '--proxy-bypass-list=<-loopback>',
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
    // Chromium's own sandbox does not start as root nor inside many containers; see docs/files.md.
    ...(isRoot ? ['--no-sandbox'] : []),
    'about:blank',
  ];
  const [program, ...args] = [...walls(isRoot), executable, ...flags];
  return spawn(program as string, args, {
    env: { HOME: profile, TMPDIR: profile, LANG: 'C.UTF-8', PATH: '/usr/bin:/bin' },
    cwd: profile,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: killing it takes every process of the browser along
  });
}

/** As root: no network at all where the machine allows that, and never root itself. */
function walls(isRoot: boolean): string[] {
  if (!isRoot) return [];
  const works = (command: string[]): string[] =>
    spawnSync(command[0] ?? '', [...command.slice(1), 'true'], { stdio: 'ignore' }).status === 0
      ? command
      : [];
  return [
    ...works(['unshare', '--net', '--']),
    ...works(['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs', '--']),
  ];
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // the group is gone already
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Messages are JSON texts, each ended by a zero byte. */
function readMessages(from: Readable, onMessage: (message: Message) => void): void {
  let held: Buffer[] = [];
  from.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let at = chunk.indexOf(0); at !== -1; at = chunk.indexOf(0, start)) {
      const text = Buffer.concat([...held, chunk.subarray(start, at)]).toString('utf8');
      held = [];
      start = at + 1;
      onMessage(JSON.parse(text) as Message);
    }
    if (start < chunk.length) held.push(chunk.subarray(start));
  });
  from.on('error', () => undefined);
}
