import type { Logger } from 'pino';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { Outbound } from '#outbound/index';
import { expressionBatches } from '#sandbox/expression-batches';
import { httpBridge } from '#sandbox/http-bridge';
import { readImports } from '#sandbox/imports';
import type { Jail } from '#sandbox/jail';
import { findJail, guestBoot, startProcess } from '#sandbox/process';
import type { ProcessJob, RunOutcome, SandboxProcess } from '#sandbox/process';
import { processShares } from '#sandbox/process-shares';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
}

export type CodeLanguage = 'javascript' | 'python';

export interface CodeResult {
  readonly output: unknown;
  readonly console: LogLine[];
  /** What `workflow.setVariable` set, and only that. A run that fails sets nothing. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Where code of customers runs: out of our process, with nothing in reach but guarded HTTP. */
export interface Sandbox {
  /**
   * Runs `yourFunction(params)` in an isolate of its own and gives back what it returns, as JSON holds it.
   *
   * @throws AppError `code_failed`, `code_timeout`, `code_out_of_memory`, `sandbox_busy`.
   */
  runCode(run: {
    code: string;
    /** Default `javascript`. */
    language?: CodeLanguage | undefined;
    params: unknown;
    /** What `workflow.getVariable(name)` finds. */
    variables?: Readonly<Record<string, unknown>> | undefined;
    /** Whose run it is: one tenant never takes every process, see `processShares`. */
    tenant?: Tenant | undefined;
    timeoutMs?: number;
    memoryMb?: number;
    signal?: AbortSignal | undefined;
  }): Promise<CodeResult>;
  /**
   * Evaluates a JSONata expression under the same limits. Expressions of one tenant may share an isolate, never
   * those of two; without a tenant the isolate is its own.
   *
   * @throws AppError as `runCode` does.
   */
  runJsonata(run: {
    expression: string;
    input: unknown;
    tenant?: Tenant | undefined;
    timeoutMs?: number;
    signal?: AbortSignal | undefined;
  }): Promise<unknown>;
  /** Kills all processes; runs in flight fail. */
  close(): Promise<void>;
}

export interface SandboxOptions {
  /** Most processes at once; each takes some 90 MB, idle too. */
  readonly processes: number;
  /** What code may take when its run does not say. Default 60 s. */
  readonly codeTimeoutMs?: number;
  readonly outbound: Pick<Outbound, 'send'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Start the first process now rather than with the first run. */
  readonly warm?: boolean;
}

const defaults = { timeoutMs: 60_000, memoryMb: 256, transformMemoryMb: 256, transformTimeoutMs: 10_000 };
const longestQueue = 1_000;
/** A process is replaced after this many runs of code, so that nothing can build up in it. */
const runsPerProcess = 1_000;
/** JSONata mostly finds an isolate that is there already. */
const wearOf = { code: 1, python: 1, jsonata: 0.02 } as const;
const consoleCharacters = 64 * 1024;

interface PoolJob extends ProcessJob {
  /** Runs without one count for nobody. */
  readonly organization: string | undefined;
}

interface Member {
  readonly process: SandboxProcess;
  /** Runs of code so far; JSONata counts in part. */
  wear: number;
}

/** Makes the pool. Processes start when they are needed and then stay warm. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const pool = processPool(options);
  const expressions = expressionBatches(
    (runs, { room, timeoutMs, tenant, signal }) =>
      pool.run({
        kind: 'jsonata',
        runs,
        memoryMb: defaults.transformMemoryMb,
        timeoutMs,
        room,
        organization: tenant?.orgId,
        signal,
        onConsole: () => undefined,
        onAsk: () => Promise.resolve('{}'),
      }),
    Math.max(1, options.processes - 1),
  );
  if (options.warm === true) void pool.prepare();
  return {
    async runCode({ code, language = 'javascript', params, variables = {}, tenant, signal, ...limits }) {
      const timeoutMs = limits.timeoutMs ?? options.codeTimeoutMs ?? defaults.timeoutMs;
      const console = consoleRecorder();
      let changed = '{}';
      const [outcome] = await pool.run({
        kind: language === 'python' ? 'python' : 'code',
        runs: [{ source: language === 'python' ? code : readImports(code), input: toJson(params) }],
        variables: toJson(variables),
        memoryMb: limits.memoryMb ?? defaults.memoryMb,
        timeoutMs,
        organization: tenant?.orgId,
        signal,
        onConsole: (text) => console.record(text),
        onVariables: (text) => {
          changed = text;
        },
        onAsk: httpBridge(options, timeoutMs),
      });
      return {
        output: readOutput(resultOf(outcome)),
        console: console.lines,
        variables: readOutput(changed) as Record<string, unknown>,
      };
    },
    async runJsonata({ expression, input, tenant, timeoutMs, signal }) {
      const run = { source: expression, input: toJson(input) };
      const room = tenant === undefined ? undefined : `${tenant.orgId}/${tenant.environment}`;
      const timeout = timeoutMs ?? defaults.transformTimeoutMs;
      const outcome = await expressions.evaluate(run, { room, timeoutMs: timeout, tenant, signal });
      return readOutput(resultOf(outcome));
    },
    close: () => pool.close(),
  };
}

function resultOf(outcome: RunOutcome | undefined): string {
  if (outcome === undefined)
    throw new AppError('code_failed', { reason: 'the sandbox process sent no result' });
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

function toJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

/** `__proto__` as an own key would change the prototype of whatever copies it. */
function readOutput(text: string): unknown {
  const output: unknown = JSON.parse(text);
  if (text.includes('__proto__') && hasProtoKey(output)) {
    throw new AppError('code_failed', {
      reason: 'the result holds the key "__proto__", which is not accepted',
    });
  }
  return output;
}

function hasProtoKey(root: unknown): boolean {
  const waiting: unknown[] = [root];
  for (let value = waiting.pop(); waiting.length > 0 || value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) return true;
    for (const item of Object.values(value)) waiting.push(item);
  }
  return false;
}

function consoleRecorder() {
  const lines: LogLine[] = [];
  let left = consoleCharacters;
  return {
    lines,
    record(raw: string): void {
      if (left <= 0) return;
      const { level, text } = JSON.parse(raw) as { level?: unknown; text?: unknown };
      const kept = String(text).slice(0, left);
      left -= kept.length + 16;
      lines.push({
        level: level === 'warn' || level === 'error' || level === 'debug' ? level : 'info',
        text: kept,
      });
    },
  };
}

function processPool(options: SandboxOptions) {
  const shares = processShares(options.processes);
  const idle: Member[] = [];
  const waiting: { resolve: (member: Member) => void; reject: (error: Error) => void }[] = [];
  const all = new Set<Member>();
  let starting = 0;
  let isClosed = false;
  let jail: Promise<{ jail: Jail; first: SandboxProcess; boot: string }> | undefined;

  async function start(): Promise<Member> {
    starting += 1;
    try {
      const isFirst = jail === undefined;
      jail ??= guestBoot().then(async (boot) => ({ ...(await findJail(boot)), boot }));
      const found = await jail;
      if (isFirst) options.log.info({ jail: found.jail.name }, 'sandbox ready');
      if (isFirst && !found.jail.name.includes('network')) {
        options.log.warn(
          'this system grants the sandbox no network namespace: code that breaks out of its isolate could reach the network. Allow user namespaces, or run workers where nothing else is in reach',
        );
      }
      const process = isFirst ? found.first : await startProcess(found.jail, found.boot);
      const member = { process, wear: 0 };
      all.add(member);
      if (isClosed) process.kill();
      return member;
    } catch (error) {
      if (all.size === 0) jail = undefined;
      throw error;
    } finally {
      starting -= 1;
    }
  }

  function giveBack(member: Member): void {
    if (!member.process.isAlive() || member.wear >= runsPerProcess || isClosed) {
      member.process.kill();
      all.delete(member);
      if (waiting.length > 0) serveNext();
      return;
    }
    const next = waiting.shift();
    if (next === undefined) idle.push(member);
    else next.resolve(member);
  }

  /** Starts a process for whoever waits longest. */
  function serveNext(): void {
    start().then(giveBack, (error: Error) => waiting.shift()?.reject(error));
  }

  async function take(signal: AbortSignal | undefined): Promise<Member> {
    signal?.throwIfAborted();
    for (let member = idle.pop(); member !== undefined; member = idle.pop()) {
      if (member.process.isAlive()) return member;
      all.delete(member);
    }
    if (waiting.length >= longestQueue) throw new AppError('sandbox_busy', { waiting: waiting.length });
    const turn = Promise.withResolvers<Member>();
    waiting.push(turn);
    if (all.size + starting < options.processes) serveNext();
    const leave = (): void => {
      const at = waiting.indexOf(turn);
      if (at === -1) return;
      waiting.splice(at, 1);
      turn.reject(signal?.reason instanceof Error ? signal.reason : new Error('stopped'));
    };
    signal?.addEventListener('abort', leave, { once: true });
    return turn.promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  return {
    async run({ organization, ...job }: PoolJob): Promise<RunOutcome[]> {
      if (isClosed) throw new AppError('sandbox_busy', { waiting: 0 });
      const leave = await shares.enter(organization, job.signal);
      try {
        const member = await take(job.signal);
        member.wear += wearOf[job.kind] * job.runs.length;
        try {
          return await member.process.run(job);
        } finally {
          giveBack(member);
        }
      } finally {
        leave();
      }
    },
    prepare: () =>
      start().then(giveBack, (error: unknown) =>
        options.log.warn({ err: error }, 'the sandbox did not start'),
      ),
    close(): Promise<void> {
      isClosed = true;
      shares.close();
      for (const member of all) member.process.kill();
      for (const turn of waiting.splice(0)) turn.reject(new Error('The sandbox is closed.'));
      return Promise.resolve();
    },
  };
}
