import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { lastSeqs } from '#db/batch-journal';
import {
  claimExecutions,
  giveBackBroken,
  loadJournals,
  releaseExecutions,
  type ClaimedExecution,
} from '#db/execution-claim';
import { isDatabaseAway, whileDatabaseIsAway } from '#db/database-fault';
import { clientTransaction } from '#db/client-transaction';
import { loadWaits } from '#db/wait';
import { lockLiveWorker, runsOf } from '#db/worker';
import type { Tenant } from '#domain/tenant';
import { failureOf } from '#engine/run/node-failure';
import { accountValues } from '#engine/account-values';
import { containerPasts, insideSoFar } from '#engine/run/container-past';
import { LeaseLostError, openJournal } from '#engine/journal';
import { takeLease, type Lease } from '#engine/workers/lease';
import type { PlanCache } from '#engine/plan/plan-cache';
import type { Queue } from '#engine/workers/queue';
import { mostLosses, spreadAfterLosses } from '#engine/workers/recover';
import type { RunDeps, RunInput } from '#engine/run/run-state';
import { historyOf, triggerHeaders } from '#engine/run/run-history';
import { openRecorder } from '#engine/recording/run-recorder';
import { rowOpener } from '#engine/recording/sealed-parts';
import type { Vault } from '#vault/index';
import { openSuspension } from '#engine/wait/suspension';
import { startRun, type Run } from '#engine/run/run';
import type { RunFault } from '#engine/run/run-fault';

export interface WorkerDeps extends Omit<RunDeps, 'suspension' | 'pasts'> {
  readonly pool: Pool;
  /** What the journal writes through (`createJournalPool`). */
  readonly journalPool: Pool;
  readonly log: Logger;
  readonly vault: Vault;
  readonly queue: Queue;
  readonly plans: PlanCache;
  /** For the heartbeat's own connection. */
  readonly databaseUrl: string;
  readonly role: string;
  /** Executions that it claims to run at the same time; 0: none. */
  readonly slots: number;
  readonly onRunEnded: (run: Run) => void;
  /** A run was suspended. */
  readonly onRunLeft: () => void;
}

/**
 * Bytes of payload that claimed executions bring into memory. As objects they take several times that, and a run
 * keeps its payload to the end.
 */
const mostPayloadBytes = 32 * 1024 * 1024;

/** One life of a worker: a lease, its journal and the runs it owns. It ends when the lease is lost. */
export interface Worker {
  readonly id: string;
  readonly runs: ReadonlyMap<string, Run>;
  /**
   * Takes queued executions and runs them.
   *
   * @param limit - how many at most
   * @param free - slots in which nobody runs
   */
  claim(limit: number, free: number): Promise<{ readonly claimed: number; readonly isHeldBack: boolean }>;
  /** Runs an execution that was created owned by this worker. */
  adopt(input: RunInput): Promise<Run>;
  /** Once a second: stops, deadlines, and runs that the database gives us but memory has not. */
  tick(): Promise<void>;
  /** Lets every run go without a word, and ends the heartbeat. */
  abandon(): Promise<void>;
  /** Resolves when nothing runs and everything is written. */
  idle(): Promise<void>;
}

/**
 * Starts a life under a new id.
 *
 * @param onLost - called once when the others declared this worker dead; its runs are let go already
 */
export async function startWorker(deps: WorkerDeps, onLost: () => void): Promise<Worker> {
  let isOver = false;
  const lease: Lease = await takeLease(deps, lose);
  const id = lease.workerId;
  const journal = openJournal(
    {
      ...deps,
      pool: deps.journalPool,
      onLeaseLost: lose,
      onBroken: (executionId, error) => runs.get(executionId)?.breakOff(error),
      isOver: () => isOver,
    },
    id,
  );
  const suspension = openSuspension(
    {
      ...deps,
      written: (executionId) => journal.written(executionId),
      isOver: () => isOver,
      onLeft: deps.onRunLeft,
    },
    id,
  );
  const runs = new Map<string, Run>();
  /** Claimed, and being read. */
  const loading = new Set<string>();
  const openRow = rowOpener(deps.vault);
  /** Of the claimed ones in memory. */
  const payloadBytes = new Map<string, number>();
  const pasts = containerPasts(deps.pool, openRow, { isOver: () => isOver });
  let strays: readonly string[] = [];

  function lose(): void {
    if (isOver) return;
    deps.log.warn({ workerId: id }, 'This worker was declared dead; it lets its runs go and starts again.');
    void abandon().finally(onLost);
  }

  async function abandon(): Promise<void> {
    isOver = true;
    for (const run of runs.values()) run.abandon();
    await lease.close();
  }

  async function claim(limit: number, free: number): Promise<{ claimed: number; isHeldBack: boolean }> {
    // One is taken however large it is, when nothing else is in memory.
    const bytes = mostPayloadBytes - sum(payloadBytes.values());
    if (bytes <= 0) return { claimed: 0, isHeldBack: true };
    const { claimed, jobs, isHeldBack } = await clientTransaction(deps.pool, async (client) => {
      const found = await deps.queue.claim(client, { limit, bytes, free, held: runsByAccount() });
      const { jobs } = found;
      if (jobs.length === 0) return { claimed: [], jobs, isHeldBack: found.isHeldBack };
      if (!(await lockLiveWorker(client, id))) throw new LeaseLostError();
      const executions = await claimExecutions(
        client,
        id,
        jobs.map((job) => job.executionId),
      );
      deps.crash?.('claim.before-commit');
      return { claimed: executions, jobs, isHeldBack: found.isHeldBack };
    });
    if (claimed.length === 0) return { claimed: 0, isHeldBack };
    deps.crash?.('claim.after-commit');
    // Only from here on: of what was claimed without our hearing of it the tick must find that nobody runs it, and
    // what was stopped while it was queued takes no room.
    const bytesOf = new Map(jobs.map((job) => [job.executionId, job.bytes]));
    for (const execution of claimed) {
      loading.add(execution.id);
      payloadBytes.set(execution.id, bytesOf.get(execution.id) ?? 0);
    }
    try {
      await load(claimed);
    } finally {
      // What could not be read is a stray now, and the tick gives it back.
      for (const { id } of claimed) {
        loading.delete(id);
        if (!runs.has(id)) payloadBytes.delete(id);
      }
    }
    return { claimed: claimed.length, isHeldBack };
  }

  function runsByAccount(): Map<string, number> {
    const held = new Map<string, number>();
    for (const { group } of runs.values()) held.set(group, (held.get(group) ?? 0) + 1);
    return held;
  }

  async function load(claimed: readonly ClaimedExecution[]): Promise<void> {
    const ids = claimed.map((execution) => execution.id);
    const [journals, seqs, waits] = await Promise.all([
      loadJournals(deps.pool, ids),
      lastSeqs(deps.pool, ids),
      loadWaits(deps.pool, ids),
    ]);
    await Promise.all(
      claimed.map(async (execution) => {
        try {
          const history = historyOf(journals.get(execution.id) ?? [], openRow);
          await adopt(
            await runInput(execution, {
              history,
              lastSeq: seqs.get(execution.id) ?? 0,
              waits: waits.get(execution.id) ?? [],
            }),
          );
        } catch (error) {
          // The database being away is no fault of the execution: it stays a stray, and is queued again.
          if (isDatabaseAway(error)) deps.log.warn({ err: error }, 'A claimed execution could not be read.');
          else await endUnreadable(execution, error);
        }
      }),
    );
  }

  async function runInput(
    row: ClaimedExecution,
    { history, lastSeq, waits }: Pick<RunInput, 'history' | 'lastSeq' | 'waits'>,
  ): Promise<RunInput> {
    const tenant: Tenant = { orgId: row.org_id, environment: row.environment };
    const plan =
      row.workflow_version === null
        ? deps.plans.of(row.document)
        : await deps.plans.get(tenant, row.workflow_id, row.workflow_version);
    const [trigger, ...rest] = history;
    return {
      ...(await insideSoFar(deps.pool, openRow, row.id, plan, rest)),
      tenant,
      linkedAccountId: row.linked_account_id,
      appSlug: row.app_slug,
      mode: row.mode,
      isSubFlow: row.is_sub_flow,
      isStopRequested: row.stop_requested_at !== null,
      isTest: row.workflow_version === null,
      plan,
      history: rest,
      lastSeq,
      waits,
      secrets: trigger?.secrets ?? [],
      facts: {
        executionId: row.id,
        lineageId: row.lineage_id,
        workflowId: row.workflow_id,
        configId: row.config_id,
        accountId: row.account_id,
        eventName: row.trigger_event,
        source: row.source,
        createdAt: row.created_at,
        payload: trigger?.output ?? null,
        headers: triggerHeaders(trigger),
      },
    };
  }

  /** The version was deleted, or its document cannot be read any longer: it will never run. */
  async function endUnreadable(row: ClaimedExecution, error: unknown): Promise<void> {
    deps.log.error({ err: error, executionId: row.id }, 'An execution cannot be run.');
    await journal
      .end({
        executionId: row.id,
        state: 'errored',
        errorText: failureOf(error).message,
        nodeCount: 0,
        finishedNodeCount: 0,
        at: deps.clock.now(),
      })
      .catch((fault: unknown) =>
        deps.log.error({ err: fault, executionId: row.id }, 'It stays for a later try.'),
      );
  }

  async function adopt(input: RunInput): Promise<Run> {
    const { facts, secrets } = await accountValues(deps, input);
    const recorder = openRecorder(deps, journal, {
      ...input,
      executionId: input.facts.executionId,
      payload: input.facts.payload,
      secrets: [...input.secrets, ...secrets],
    });
    const run = startRun({ ...deps, suspension, pasts }, recorder, {
      ...input,
      history: recorder.history,
      facts: { ...input.facts, ...facts },
    });
    runs.set(run.executionId, run);
    void forgetWhenFinished(run);
    if (isOver) run.abandon();
    return run;
  }

  async function forgetWhenFinished(run: Run): Promise<void> {
    const { executionId } = run;
    const { fault } = await run.finished;
    if (fault !== undefined) await giveBack(executionId, fault);
    runs.delete(executionId);
    payloadBytes.delete(executionId);
    journal.forget(executionId);
    deps.onRunEnded(run);
  }

  /** Queues a run again that could not go on, later each time. One that broke too often ends. */
  async function giveBack(executionId: string, { reason, nodeId, isCounted }: RunFault): Promise<void> {
    const giveUp = `It could not go on, ${mostLosses} times over, and is not tried again: ${reason}.`;
    const of = { workerId: id, executionId, nodeId, isCounted, mostLosses, giveUp };
    try {
      // Whoever has it next must find what it has done, also what nobody waited for.
      await journal.written(executionId).catch((error: unknown) => {
        // Otherwise its rows cannot be written at all, and none of them is on its way.
        if (error instanceof LeaseLostError) throw error;
      });
      await whileDatabaseIsAway(
        () =>
          clientTransaction(deps.pool, async (client) => {
            if (!(await lockLiveWorker(client, id))) throw new LeaseLostError();
            const given = await giveBackBroken(client, of);
            if (given?.is_queued !== true) return;
            const due = new Date(deps.clock.now().getTime() + spreadAfterLosses(given.lost_count));
            await deps.queue.delay(client, { executionId }, due);
          }),
        { isOver: () => isOver },
      );
    } catch (error) {
      // It is a stray then, which the tick gives back, or somebody else's already.
      if (!(error instanceof LeaseLostError)) {
        deps.log.error({ err: error, executionId }, 'A broken run could not be given back.');
      }
    }
  }

  async function tick(): Promise<void> {
    lease.pulse();
    // Whose time is up is judged by the database's clock: this machine's may jump.
    const owned = await runsOf(deps.pool, id);
    for (const { id: executionId, is_stop_asked, is_overdue } of owned) {
      if (is_overdue) runs.get(executionId)?.timeOut();
      if (is_stop_asked) runs.get(executionId)?.stop();
    }
    await giveStraysBack(owned.map((row) => row.id).filter((id) => !runs.has(id) && !loading.has(id)));
  }

  /** Twice in a row without a run in memory: reading it failed, so it goes back to the queue. */
  async function giveStraysBack(found: readonly string[]): Promise<void> {
    const lost = found.filter((executionId) => strays.includes(executionId));
    strays = found;
    if (lost.length === 0) return;
    await clientTransaction(deps.pool, async (client) => {
      const released = await releaseExecutions(client, id, lost);
      await deps.queue.enqueue(
        client,
        released.map((row) => ({ executionId: row.id })),
      );
    });
  }

  return {
    id,
    runs,
    claim,
    adopt,
    tick,
    abandon,
    async idle() {
      await Promise.all(Array.from(runs.values(), (run) => run.finished));
      await journal.idle();
    },
  };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
