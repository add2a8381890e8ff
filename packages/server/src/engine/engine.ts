import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { despiteDeadlocks } from '#db/database-fault';
import { requestStop } from '#db/execution-control';
import { createJournalPool } from '#db/pool';
import {
  findExecution,
  listExecutions,
  type ExecutionFilter,
  type ExecutionPage,
  type ExecutionHeader,
} from '#db/execution-log';
import type { NewExecution } from '#db/execution-start';
import type { LogRetention } from '#db/retention';
import type { Db } from '#db/schema';
import { clientTransaction } from '#db/client-transaction';
import { wakeByToken } from '#db/wait';
import { retireWorker } from '#db/worker';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { createAcceptance, triggerKey, type EventAnswer, type EventInput } from '#engine/start/acceptance';
import { eventWriter } from '#engine/start/accept-event';
import type { CrashHook } from '#engine/crash-points';
import { listenerLookup } from '#engine/start/listener-lookup';
import { executionMaker } from '#engine/start/new-execution';
import type { OutsideServices } from '#engine/node-services';
import { builtInNodes, type NodeRegistry } from '#engine/nodes/index';
import { createPlanCache } from '#engine/plan/plan-cache';
import { openQueue } from '#engine/workers/queue';
import { queuePlaces } from '#engine/start/queue-places';
import { listBatches, readBatch, type BatchesOf } from '#engine/read/read-batches';
import { readExecution, type ExecutionDetail, type ReadOptions } from '#engine/read/read-executions';
import { queueRunsOfDeadWorkers } from '#engine/workers/recover';
import { createRecovery } from '#engine/recovery';
import { createRerun } from '#engine/retries/rerun';
import { createRetries, type Retries } from '#engine/retries/retries';
import { resumeByCall, type ResumeAnswer, type ResumeCall } from '#engine/wait/resume-by-call';
import { createResumeLinks } from '#engine/wait/resume-links';
import { hashToken } from '#engine/run/run-waits';
import { rowOpener } from '#engine/recording/sealed-parts';
import { startOnce } from '#engine/start/start-once';
import { startWriter, writeExecutions } from '#engine/start/start-executions';
import type { StartInput } from '#engine/start/start-input';
import { wakeUpSender } from '#engine/workers/wake-up';
import { createSubFlows } from '#engine/wait/sub-flows';
import { createSyncCalls, type SyncAnswer } from '#engine/start/sync-calls';
import { within } from '#engine/run/within';
import { sealWaitPayload } from '#engine/wait/wait-payloads';
import { startWorkLoop, type WorkLoop } from '#engine/workers/work-loop';
import { startWorker, type WorkerDeps } from '#engine/workers/worker';
import type { Plan } from '#engine/plan/workflow-plan';
import type { Vault } from '#vault/index';

export interface EngineDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly vault: Vault;
  readonly services: OutsideServices;
}

export interface EngineOptions {
  /** For the heartbeat's own connection. */
  readonly databaseUrl: string;
  /** What the process does: it is shown beside its worker. `all` unless given. */
  readonly role?: string;
  /** How many executions this worker runs at the same time. */
  readonly concurrency: number;
  /** Queued executions that one linked account may have; beyond it starting answers `queue_full`. */
  readonly queueLimit?: number;
  /** How long logs are kept; 30 days and at most 365 unless given. */
  readonly retention?: LogRetention;
  /** An execution that waits longer for a worker is ended; a week unless given. */
  readonly queueMaxAgeHours?: number;
  /** Iterations of loops that one execution may have. */
  readonly batchLimit?: number;
  readonly registry?: NodeRegistry;
  /** Where URLs that nodes give away begin. */
  readonly publicUrl?: string;
  /** Only the crash tests pass one. */
  readonly crash?: CrashHook;
}

export interface Engine extends Retries {
  readonly registry: NodeRegistry;
  /** Begins to claim queued executions; without it the engine only starts, runs sync calls and accepts events. */
  start(): void;
  /** Stops claiming, lets runs end for at most `timeoutMs`, queues the others again for other workers. */
  drain(timeoutMs: number): Promise<void>;
  /** Queues an execution; durable when it resolves. */
  startExecution(tenant: Tenant, input: StartInput): Promise<{ executionId: string }>;
  /**
   * Queues executions in the caller's transaction, so that what made them (a cursor, a tick, a key) commits together
   * with them. After the commit call {@link Engine.wake}.
   *
   * @returns their ids, in order
   * @throws AppError `queue_full`, `workflow_not_found`; then the transaction must not commit
   */
  startInTransaction(
    client: PoolClient,
    starts: readonly { readonly tenant: Tenant; readonly input: StartInput }[],
  ): Promise<readonly string[]>;
  /** Tells the workers, of this process and of others, that there may be something to claim. */
  wake(): void;
  /** Runs an execution here and now and waits for its end, at most `timeoutMs`. */
  runSync(tenant: Tenant, input: StartInput & { readonly timeoutMs: number }): Promise<SyncAnswer>;
  /**
   * Stores what came in and starts every workflow that listens to it, unless its conditions do not hold or it has
   * had the same before; durable when it resolves.
   *
   * @throws AppError `queue_full`
   */
  acceptEvent(tenant: Tenant, input: EventInput): Promise<EventAnswer>;
  /**
   * Resumes whatever waits for this token; durable when it resolves.
   *
   * @returns the execution that goes on; undefined: nobody waits for the token (any longer)
   */
  resume(token: string, payload: unknown): Promise<{ tenant: Tenant; executionId: string } | undefined>;
  /** Takes a call to the URL of a wait-for-webhook node; durable when it resolves. */
  resumeByCall(token: string, call: ResumeCall): Promise<ResumeAnswer>;
  /** Says that somebody woke a wait; without it the waker finds it a moment later. */
  lookAtWaits(): void;
  /** @throws AppError `execution_not_found`, `wrong_state` when it has ended already. */
  stop(tenant: Tenant, executionId: string): Promise<void>;
  /** A page of the execution log. */
  list(
    tenant: Tenant,
    filter: ExecutionFilter,
    page: ExecutionPage,
  ): Promise<{ executions: ExecutionHeader[]; total: number }>;
  /**
   * One execution with what its nodes did; with an account, only that account's.
   *
   * @throws AppError `execution_not_found`
   */
  read(
    tenant: Tenant,
    executionId: string,
    linkedAccountId?: string,
    options?: Pick<ReadOptions, 'isWhole'>,
  ): Promise<ExecutionDetail>;
  /**
   * What an execution answered by its Response node, whole and with its true values: it is data for its caller, not
   * a log of it.
   *
   * @throws AppError `execution_not_found`
   */
  readAnswer(
    tenant: Tenant,
    executionId: string,
    linkedAccountId?: string,
  ): Promise<{ header: ExecutionHeader; answer: unknown }>;
  /**
   * A page of the iterations of a loop or try block, or of the pages of a node.
   *
   * @throws AppError `execution_not_found`, `execution_node_not_found`, `node_without_batches`
   */
  listBatches(
    tenant: Tenant,
    of: BatchesOf,
    page: Parameters<typeof listBatches>[3],
  ): ReturnType<typeof listBatches>;
  /**
   * What the nodes inside one iteration did, by the path of the iteration.
   *
   * @throws AppError `execution_not_found`, `execution_batch_not_found`, and as `listBatches`
   */
  readBatch(
    tenant: Tenant,
    of: Pick<BatchesOf, 'executionId' | 'linkedAccountId'>,
    batch: string,
  ): ReturnType<typeof readBatch>;
  /**
   * Starts a new execution from the trigger of one that failed; the version stays the same, unless it is to be the
   * one that is published now.
   *
   * @throws AppError `execution_not_found`, `wrong_state`, `workflow_not_found`, `queue_full`
   */
  rerun(
    tenant: Tenant,
    executionId: string,
    options?: { readonly isLatestVersion?: boolean },
  ): Promise<{ executionId: string }>;
}

const tickEveryMs = 1_000;

/** Opens the engine of one process: its queue, its worker identity and its writers. */
export async function createEngine(deps: EngineDeps, options: EngineOptions): Promise<Engine> {
  const { pool, db, clock, log } = deps;
  const registry = options.registry ?? builtInNodes;
  const plans = createPlanCache(pool, registry);
  const places = queuePlaces({ pool, clock, limit: options.queueLimit ?? 100_000 });
  const queue = openQueue();
  const others = wakeUpSender(pool, (error) =>
    log.debug({ err: error }, 'Other workers could not be woken.'),
  );
  let loop: WorkLoop | undefined;
  const readDeps = { db, pool, plans };
  const retries = createRetries({ ...deps, plans, queue, places, wake });
  const newExecution = executionMaker(deps);
  const subFlows = createSubFlows({
    newExecution,
    pool,
    clock,
    plans,
    queue,
    db,
    vault: deps.vault,
    workerId: () => worker.id,
    wake: () => loop?.wake(),
    read: readWhole,
  });
  /** As nodes and callers may see it, not as the log shows it. */
  function readWhole(tenant: Tenant, executionId: string): Promise<ExecutionDetail | undefined> {
    const options = { isWhole: true, open: rowOpener(deps.vault) };
    return readExecution(readDeps, tenant, executionId, undefined, options);
  }
  const links = createResumeLinks(deps.vault.deriveKey('resume-link'), options.publicUrl ?? '');
  const journalPool = createJournalPool({
    url: options.databaseUrl,
    onIdleError: (error) => log.warn({ err: error }, 'An idle database connection of the journal broke.'),
  });
  const workerDeps: WorkerDeps = {
    ...deps,
    journalPool,
    links,
    services: { ...deps.services, subFlows, recovery: createRecovery(deps) },
    registry,
    plans,
    queue,
    batchLimit: options.batchLimit ?? 10_000,
    databaseUrl: options.databaseUrl,
    role: options.role ?? 'all',
    slots: options.role === 'api' ? 0 : options.concurrency,
    crash: options.crash,
    onRunLeft: () => loop?.lookAtWaits(),
    onRunEnded(run) {
      loop?.runEnded();
      if (run.isSubFlow) loop?.lookAtWaits();
    },
  };
  const closing = new AbortController();
  let worker = await startWorker(workerDeps, liveAgain);
  const writerDeps = { pool, queue, crash: options.crash, workerId: () => worker.id };
  const starts = startWriter(writerDeps);
  const events = eventWriter(writerDeps);
  const accept = createAcceptance({ ...deps, plans, places, events, listeners: listenerLookup(pool) });
  const ticking = setInterval(() => {
    worker.tick().catch((error: unknown) => log.warn({ err: error }, 'The engine missed a tick.'));
  }, tickEveryMs);

  /** The others declared this worker dead: it goes on under a new id. */
  async function liveAgain(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        worker = await startWorker(workerDeps, liveAgain);
        return;
      } catch (error) {
        log.error({ err: error }, 'No lease could be taken; trying again.');
        await new Promise((resolve) => setTimeout(resolve, tickEveryMs));
      }
    }
  }

  function planOf(tenant: Tenant, input: StartInput, client?: PoolClient): Plan | Promise<Plan> {
    return input.version === undefined
      ? plans.of(input.document)
      : plans.get(tenant, input.workflowId, input.version, client);
  }

  /** There is new work: for this process, and for the others when this one is full or runs nothing. */
  function wake(): void {
    loop?.wake();
    if (loop?.hasRoom() !== true) others.send();
  }

  async function startExecution(tenant: Tenant, input: StartInput): Promise<{ executionId: string }> {
    const plan = await planOf(tenant, input);
    await places.reserve(tenant, input.linkedAccount.id, 1);
    const begin = { mode: 'async', owner: null, now: clock.now() } as const;
    const row = await newExecution(tenant, input, plan, begin);
    await commitStart(row, input, plan);
    wake();
    return { executionId: row.id };
  }

  async function startInTransaction(
    client: PoolClient,
    wanted: Parameters<Engine['startInTransaction']>[1],
  ): Promise<readonly string[]> {
    const now = clock.now();
    const executions: NewExecution[] = [];
    for (const { tenant, input } of wanted) {
      const plan = await planOf(tenant, input, client);
      await places.reserve(tenant, input.linkedAccount.id, 1, client);
      const begin = { mode: 'async', owner: null, now } as const;
      executions.push(await newExecution(tenant, input, plan, begin, client));
    }
    await writeExecutions(client, { queue, workerId: worker.id }, executions);
    return executions.map(({ id }) => id);
  }

  async function acceptEvent(tenant: Tenant, input: EventInput): Promise<EventAnswer> {
    const answer = await accept(tenant, input);
    if (answer.executions > 0) wake();
    return answer;
  }

  async function resume(token: string, payload: unknown): ReturnType<Engine['resume']> {
    const seal = (waitId: string): Buffer => sealWaitPayload(deps.vault, waitId, payload);
    const woken = await wakeByToken(pool, hashToken(token), seal, clock.now());
    if (woken !== undefined) loop?.lookAtWaits();
    return woken;
  }

  /** Writes a row that a call starts, once for each key of its workflow's `dedup_key`. */
  async function commitStart(row: NewExecution, input: StartInput, plan: Plan): Promise<void> {
    // A test of a draft may be repeated as often as its author likes.
    const isFirstCall =
      input.source === 'api_call' && input.rerunOf === undefined && input.version !== undefined;
    const rule = isFirstCall ? plan.guard.callDedup : undefined;
    const arrival = { payload: input.payload, headers: input.requestHeaders, workflowId: input.workflowId };
    const key = triggerKey(log, row.tenant, rule, arrival, input.linkedAccount.id);
    if (key === undefined) return starts.commit(row);
    const workerId = row.owner ?? worker.id;
    if (!(await startOnce({ pool, queue, workerId }, row, key))) {
      throw new AppError('duplicate_arrival', { workflowId: row.workflowId, windowS: key.windowS });
    }
  }

  async function stop(tenant: Tenant, executionId: string): Promise<void> {
    // Workers end executions of the same family in an order of their own.
    const stopped = await despiteDeadlocks(() => requestStop(pool, tenant, executionId));
    if (stopped.length > 0) {
      // Its own worker need not wait for the next tick.
      for (const { id, owner } of stopped) if (owner === worker.id) worker.runs.get(id)?.stop();
      return;
    }
    const header = await findExecution(db, tenant, executionId);
    if (header === undefined) throw new AppError('execution_not_found', { id: executionId });
    throw new AppError('wrong_state', {
      reason: `Execution "${executionId}" has ended already (${header.state}): there is nothing to stop.`,
    });
  }

  async function drain(timeoutMs: number): Promise<void> {
    closing.abort();
    await loop?.close();
    await Promise.all([starts.idle(), events.idle()]);
    await within(worker.idle(), timeoutMs);
    clearInterval(ticking);
    await worker.abandon();
    // Its last word: what it could not finish is queued for the others in the same transaction.
    await clientTransaction(pool, async (client) => {
      await retireWorker(client, worker.id);
      await queueRunsOfDeadWorkers(client, { queue, clock }, 100_000);
    });
    others.send();
    await Promise.all([others.close(), journalPool.ending ? undefined : journalPool.end()]);
  }

  async function read(
    tenant: Tenant,
    executionId: string,
    linkedAccountId?: string,
    options?: ReadOptions,
  ): Promise<ExecutionDetail> {
    const detail = await readExecution(readDeps, tenant, executionId, linkedAccountId, options);
    if (detail === undefined) throw new AppError('execution_not_found', { id: executionId });
    return detail;
  }

  return {
    registry,
    start() {
      loop ??= startWorkLoop({
        ...workerDeps,
        worker: () => worker,
        concurrency: options.concurrency,
        retention: options.retention ?? { defaultDays: 30, maximumDays: 365 },
        queueMaxAgeHours: options.queueMaxAgeHours ?? 24 * 7,
      });
    },
    drain,
    startExecution,
    startInTransaction,
    wake,
    runSync: createSyncCalls({
      ...deps,
      places,
      starts,
      worker: () => worker,
      planOf,
      newExecution,
      commitStart,
      readWhole,
      readShown: (tenant, executionId) => readExecution(readDeps, tenant, executionId),
      wake,
    }),
    acceptEvent,
    resume,
    async resumeByCall(token, call) {
      const answer = await resumeByCall({ ...deps, links }, token, call);
      if (answer === 'resumed') loop?.lookAtWaits();
      return answer;
    },
    lookAtWaits: () => loop?.lookAtWaits(),
    stop,
    rerun: createRerun({ ...deps, startExecution }),
    ...retries,
    list: (tenant, filter, page) => listExecutions(db, tenant, filter, page),
    read,
    async readAnswer(tenant, executionId, linkedAccountId) {
      const options = { isWhole: true, open: rowOpener(deps.vault) };
      const { header, answer } = await read(tenant, executionId, linkedAccountId, options);
      return { header, answer };
    },
    listBatches: (tenant, of, page) => listBatches(readDeps, tenant, of, page),
    readBatch: (tenant, of, batch) => readBatch(readDeps, tenant, of, batch),
  };
}
