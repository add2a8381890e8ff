import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { signInToConsole } from '../tests/console.ts';
import { freePort, startInlay, until, type RunningInlay } from '../tests/inlay.ts';
import { startAcme } from './acme.ts';
import { figure, type Figure } from './figure.ts';

/**
 * What becomes of accepted work while things break: an API and two workers under a steady load of executions that
 * each make one contact at a provider, a fault in the middle, and a count of executions and contacts at the end.
 */

const run = promisify(execFile);
const cli = path.resolve(import.meta.dirname, '../packages/server/src/cli/inlay.ts');
const fakeClock = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const perSecond = 40;
const seconds = 20;
const faultAfterMs = 5_000;

interface Cluster {
  readonly inlay: RunningInlay;
  readonly workers: ChildProcess[];
  startWorker(): Promise<ChildProcess>;
}

interface Fault {
  readonly what: string;
  /** Runs while the load does; resolves when all is as it was. */
  readonly strike: (cluster: Cluster) => Promise<void>;
  readonly dataDir?: () => Promise<{ readonly path: string; remove(): Promise<void> }>;
  readonly env?: (scratch: string) => Record<string, string>;
  readonly isPossible?: () => boolean;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const faults: Readonly<Record<string, Fault>> = {
  'worker-killed': {
    what: 'kill -9 of a worker three times, each replaced after a second',
    async strike(cluster) {
      for (let time = 0; time < 3; time += 1) {
        const doomed = cluster.workers.shift()!;
        doomed.kill('SIGKILL');
        await sleep(1_000);
        cluster.workers.push(await cluster.startWorker());
        await sleep(2_000);
      }
    },
  },
  'worker-frozen': {
    what: 'SIGSTOP of a worker for 8 s, then SIGCONT',
    async strike({ workers }) {
      workers[0]!.kill('SIGSTOP');
      await sleep(8_000);
      workers[0]!.kill('SIGCONT');
    },
  },
  deployment: {
    what: 'SIGTERM of a worker and its replacement, three times: a deployment',
    async strike(cluster) {
      for (let time = 0; time < 3; time += 1) {
        const old = cluster.workers.shift()!;
        old.kill('SIGTERM');
        cluster.workers.push(await cluster.startWorker());
        await sleep(1_500);
      }
    },
  },
  'postgres-killed': {
    what: 'kill -9 of PostgreSQL, twice',
    async strike({ inlay }) {
      for (let time = 0; time < 2; time += 1) {
        const lock = await readFile(path.join(inlay.dataDir, 'postgres/data/postmaster.pid'), 'utf8');
        process.kill(Number.parseInt(lock), 'SIGKILL');
        await sleep(5_000);
      }
    },
  },
  'disk-full': {
    what: 'a disk of 400 MB filled to the last byte for 6 s',
    isPossible: () => process.getuid?.() === 0,
    async dataDir() {
      const folder = await mkdtemp(path.join(tmpdir(), 'inlay-disk-'));
      await run('mount', ['-t', 'tmpfs', '-o', 'size=400m,mode=0755', 'tmpfs', folder]);
      return {
        path: folder,
        async remove() {
          await run('umount', ['-l', folder]);
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
    async strike({ inlay }) {
      const ballast = path.join(inlay.dataDir, 'ballast');
      await run('sh', ['-c', `dd if=/dev/zero of=${ballast} bs=1M 2>/dev/null || true`]);
      await sleep(6_000);
      await rm(ballast, { force: true });
    },
  },
  'clock-jump': {
    what: "the workers' clock one hour ahead for 4 s, then one hour behind for 4 s, then right",
    isPossible: () => existsSync(fakeClock),
    env: (scratch) => ({
      LD_PRELOAD: fakeClock,
      FAKETIME_TIMESTAMP_FILE: path.join(scratch, 'clock'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }),
    async strike({ inlay }) {
      for (const offset of ['+3600', '-3600', '+0']) {
        await writeFile(path.join(inlay.dataDir, 'clock'), offset);
        await sleep(4_000);
      }
    },
  },
};

export async function reliability(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [name, fault] of Object.entries(faults)) {
    if (fault.isPossible?.() === false) {
      process.stderr.write(`${name}: not possible here, left out\n`);
      continue;
    }
    figures.push(...(await withFault(name, fault)));
  }
  return figures;
}

async function withFault(name: string, fault: Fault): Promise<readonly Figure[]> {
  const port = await freePort();
  const acme = await startAcme(port);
  const home = await (fault.dataDir ?? ownFolder)();
  const clock = fault.env?.(home.path) ?? {};
  if (fault.env !== undefined) await writeFile(path.join(home.path, 'clock'), '+0');
  const env = {
    INLAY_EGRESS_ALLOW: `127.0.0.1:${port},[::1]:${port}`,
    INLAY_RATE_LIMIT: '0',
    INLAY_ACCOUNT_RATE_LIMIT: '0',
  };
  const inlay = await startInlay({ dataDir: home.path, args: ['--role', 'api'], env });
  const startWorker = () => openWorker(inlay.dataDir, { ...env, ...clock });
  const workers: ChildProcess[] = [];
  try {
    workers.push(await startWorker(), await startWorker());
    const workflow = await prepare(inlay, acme.url);
    const load = steadyLoad(inlay, workflow, name);
    await sleep(faultAfterMs);
    await fault.strike({ inlay, workers, startWorker });
    return await judge(name, fault, inlay, acme.url, await load);
  } finally {
    await Promise.all(workers.map(endWorker));
    await inlay.stop();
    acme.stop();
    await home.remove();
  }
}

async function ownFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), 'inlay-fault-'));
  await chmod(folder, 0o755);
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function openWorker(dataDir: string, env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [cli, 'start', '--role', 'worker'], {
    env: { ...process.env, INLAY_DATA_DIR: dataDir, INLAY_LOG_LEVEL: 'silent', ...env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  await until(() => said.includes('(worker) is ready') || child.exitCode !== null);
  if (child.exitCode !== null) throw new Error(`A worker did not start:\n${said}`);
  return child;
}

async function endWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  await ended;
}

async function prepare(inlay: RunningInlay, acmeUrl: string): Promise<string> {
  const { linkedAccountId } = inlay.demo;
  const owner = await signInToConsole(inlay);
  await owner('PATCH', 'apps/acme-crm', { body: { variables: { acme_base_url: acmeUrl } } });
  await inlay.call('PUT', '/api/v2/public/linked-account/integration/save-key-credentials/acme-crm', {
    linkedAccountId,
    body: { apiKey: 'acme_key_demo_ada' },
  });
  const made = await inlay.call('POST', '/api/v2/public/workflow', {
    linkedAccountId,
    body: {
      name: 'One contact each',
      slug: 'acme-crm',
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
        {
          id: '2',
          node_type: 'app_action',
          name: 'Create contact',
          data: { app: 'acme-crm', action: 'createContact', parameters: { name: '{{event.name}}' } },
          // As long as the longest of the faults lasts.
          retry_policy: { strategy: 'Fixed', delay: 1_000, max_attempts: 20 },
        },
      ],
      edges: [{ source: '1', target: '2' }],
    },
  });
  const live = await inlay.call('PUT', `/api/v2/public/workflow/${made.body.workflow._id}/publish`, {
    linkedAccountId,
    body: { published: true },
  });
  if (live.status !== 200) throw new Error(JSON.stringify(live.body));
  return live.body._id as string;
}

interface Sent {
  readonly accepted: readonly { readonly name: string; readonly id: string }[];
  /** Callers that got an error: nothing is promised to them. */
  readonly refused: number;
}

/** Independent callers at a fixed rate, whatever becomes of them. */
async function steadyLoad(inlay: RunningInlay, workflow: string, fault: string): Promise<Sent> {
  const accepted: { name: string; id: string }[] = [];
  let refused = 0;
  const inFlight: Promise<void>[] = [];
  const call = async (name: string) => {
    try {
      const { status, body } = await inlay.call('POST', `/api/v2/public/workflow/${workflow}/execute`, {
        linkedAccountId: inlay.demo.linkedAccountId,
        body: { name },
      });
      if (status === 200) accepted.push({ name, id: body.execution_id as string });
      else refused += 1;
    } catch {
      refused += 1;
    }
  };
  const begun = performance.now();
  for (let n = 0; n < perSecond * seconds; n += 1) {
    await sleep(Math.max(0, begun + (n * 1_000) / perSecond - performance.now()));
    inFlight.push(call(`${fault} ${n}`));
  }
  await Promise.all(inFlight);
  return { accepted, refused };
}

async function judge(
  name: string,
  fault: Fault,
  inlay: RunningInlay,
  acmeUrl: string,
  { accepted, refused }: Sent,
): Promise<readonly Figure[]> {
  const begun = performance.now();
  const { linkedAccountId } = inlay.demo;
  const open = async () => {
    let count = 0;
    for (const status of ['QUEUED', 'RUNNING']) {
      const answer = await inlay.call('GET', `/api/v2/public/execution?limit=1&status=${status}`, {
        linkedAccountId,
      });
      if (answer.status !== 200) return undefined;
      count += answer.body.totalDocs as number;
    }
    return count;
  };
  await until(async () => (await open()) === 0, { timeoutMs: 120_000, what: `${name}: all work to end` });
  const settledMs = performance.now() - begun;
  const completed = new Map<string, string>();
  for (const { name: contact, id } of accepted) {
    const { body } = await inlay.call('GET', `/api/v2/public/execution/${id}`, { linkedAccountId });
    completed.set(contact, body.status as string);
  }
  const made = await contactNames(acmeUrl);
  const perName = Map.groupBy(made, (contact) => contact);
  const notEnded = accepted.filter(({ name: contact }) => completed.get(contact) !== 'COMPLETED').length;
  const notOnce = accepted.filter(({ name: contact }) => perName.get(contact)?.length !== 1).length;
  const twice = [...perName.values()].filter((of) => of.length > 1).length;
  const conditions = `${fault.what}; one API and two workers, ${perSecond} executions/s for ${seconds} s, ${accepted.length} accepted, ${refused} refused`;
  const of = `reliability.${name}`;
  return [
    figure(`${of}.accepted-not-completed`, notEnded, 'executions', conditions),
    figure(`${of}.accepted-not-exactly-once`, notOnce, 'contacts', conditions),
    figure(`${of}.made-twice`, twice, 'contacts', conditions),
    figure(`${of}.all-ended-after`, settledMs / 1_000, 's', `from the end of the load; ${conditions}`),
  ];
}

async function contactNames(acmeUrl: string): Promise<string[]> {
  const names: string[] = [];
  for (let cursor = ''; ;) {
    const answer = await fetch(`${acmeUrl}/api/v1/contacts?limit=100${cursor}`, {
      headers: { 'x-acme-key': 'acme_key_demo_ada' },
    });
    const page = (await answer.json()) as { data: { name: string }[]; next_cursor?: string | null };
    names.push(...page.data.map(({ name }) => name));
    if (!page.next_cursor) return names;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}
