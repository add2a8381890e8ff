import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';

/** What a provider allows; absent limits are not counted. */
export interface CallLimits {
  readonly perSecond?: number;
  readonly perMinute?: number;
  readonly perDay?: number;
}

/** Who shares the calls, and how many there are. */
export interface CallBudget {
  readonly key: string;
  readonly limits: CallLimits;
}

/** Takes up to `wanted` calls out of a window; 0 granted says when to ask again. */
export type LeaseCalls = (
  key: string,
  windowMs: number,
  limit: number,
  wanted: number,
) => Promise<{ readonly granted: number; readonly retryInMs: number }>;

/** Where windows and pauses are counted: one process's memory, or a table that all processes share. */
export interface BudgetStore {
  lease: LeaseCalls;
  /** Nobody gets a call before `ms` from now have passed. */
  pause(key: string, ms: number): Promise<void>;
}

export interface CallBudgets {
  /**
   * Resolves when a call may be made.
   *
   * @throws AppError `rate_limited` when that would be later than `untilMs` (a time).
   */
  take(budget: CallBudget, untilMs: number, signal: AbortSignal): Promise<void>;
  /** A provider said "not before": holds this key back here at once, and in the store. */
  pause(key: string, ms: number): Promise<void>;
}

interface KeyState {
  /** The end of the queue; takers of one key go one after the other, so the first to ask is the first to call. */
  tail: Promise<void>;
  pausedUntil: number;
  /** Calls leased and not made yet, by window. */
  leased: Map<number, { left: number; until: number }>;
}

const windows = [
  ['perSecond', 1_000],
  ['perMinute', 60_000],
  ['perDay', 86_400_000],
] as const;

const maxKeys = 10_000;

/** Up to this limit the times of all calls in the window are kept, and the count is exact. */
const exactLimit = 200;

/** Calls leased at once: one where a late one would count, in a second with few calls; more elsewhere. */
function chunkOf(limit: number, windowMs: number): number {
  if (windowMs <= 1_000) return limit <= exactLimit ? 1 : Math.floor(limit / 10);
  return Math.max(1, Math.floor(limit / 50));
}

/** Rate budgets over all processes. A budget without limits costs a map lookup. */
export function createCallBudgets(deps: {
  readonly store: BudgetStore;
  readonly clock: Clock;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}): CallBudgets {
  const { store, clock } = deps;
  const wait = deps.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  const states = new Map<string, KeyState>();

  function stateOf(key: string): KeyState {
    let state = states.get(key);
    if (state === undefined) {
      state = { tail: Promise.resolve(), pausedUntil: 0, leased: new Map() };
      states.set(key, state);
      const oldest = states.size > maxKeys ? states.keys().next().value : undefined;
      // Forgetting leased calls only loses them: the store has counted them as made.
      if (oldest !== undefined) states.delete(oldest);
    }
    return state;
  }

  async function waitFor(ms: number, untilMs: number, signal: AbortSignal): Promise<void> {
    if (clock.now().getTime() + ms > untilMs) {
      throw new AppError('rate_limited', { retryAfterSeconds: Math.ceil(ms / 1000) });
    }
    await wait(ms, signal);
  }

  async function takeInTurn(state: KeyState, budget: CallBudget, untilMs: number, signal: AbortSignal) {
    const pausedMs = state.pausedUntil - clock.now().getTime();
    if (pausedMs > 0) await waitFor(pausedMs, untilMs, signal);
    // Long windows first: a call taken from a second's window is lost if the day's then makes us wait.
    for (const [name, windowMs] of windows.toReversed()) {
      const limit = budget.limits[name];
      if (limit === undefined) continue;
      for (;;) {
        const now = clock.now().getTime();
        const held = state.leased.get(windowMs);
        if (held !== undefined && held.left > 0 && held.until > now) {
          held.left -= 1;
          break;
        }
        const { granted, retryInMs } = await store.lease(
          budget.key,
          windowMs,
          limit,
          chunkOf(limit, windowMs),
        );
        if (granted > 0) state.leased.set(windowMs, { left: granted, until: now + windowMs });
        else await waitFor(Math.max(1, retryInMs), untilMs, signal);
      }
    }
  }

  return {
    take(budget, untilMs, signal) {
      const state = states.get(budget.key);
      const isCounted = windows.some(([name]) => budget.limits[name] !== undefined);
      if (!isCounted && (state === undefined || state.pausedUntil <= clock.now().getTime())) {
        return Promise.resolve();
      }
      const mine = state ?? stateOf(budget.key);
      const turn = mine.tail.then(() => {
        signal.throwIfAborted();
        return takeInTurn(mine, budget, untilMs, signal);
      });
      mine.tail = turn.catch(() => undefined);
      return turn;
    },
    async pause(key, ms) {
      const state = stateOf(key);
      state.pausedUntil = Math.max(state.pausedUntil, clock.now().getTime() + ms);
      await store.pause(key, ms);
    },
  };
}

/** Windows shared by every process of the installation, counted in `call_budget` by the database's clock. */
export function postgresBudgetStore(pool: pg.Pool): BudgetStore {
  return {
    async lease(key, windowMs, limit, wanted) {
      const { rows } = await pool.query<{ granted: number; retry_in_ms: number }>({
        name: 'lease_calls',
        text: 'select granted, retry_in_ms from inlay_lease_calls($1, $2, $3, $4)',
        values: [key, windowMs, limit, wanted],
      });
      const row = rows[0];
      return { granted: row?.granted ?? 0, retryInMs: row?.retry_in_ms ?? windowMs };
    },
    async pause(key, ms) {
      await pool.query(
        `update call_budget set paused_until = greatest(paused_until, clock_timestamp() + $2 * interval '1 millisecond')
         where budget_key = $1`,
        [key, ms],
      );
    },
  };
}

/** The same windows in memory, for one process without a database. Written as the SQL function is. */
export function memoryBudgetStore(clock: Clock): BudgetStore {
  const rows = new Map<string, { start: number; used: number; before: number }>();
  const recent = new Map<string, number[]>();

  function leaseExactly(id: string, windowMs: number, limit: number, wanted: number) {
    const now = clock.now().getTime();
    const times = (recent.get(id) ?? []).filter((time) => time > now - windowMs);
    const granted = Math.max(0, Math.min(wanted, limit - times.length));
    recent.set(id, [...times, ...Array.from({ length: granted }, () => now)]);
    const oldest = times[times.length - limit] ?? now;
    return { granted, retryInMs: granted > 0 ? 0 : oldest + windowMs - now };
  }

  return {
    lease(key, windowMs, limit, wanted) {
      if (limit <= exactLimit) {
        return Promise.resolve(leaseExactly(`${windowMs}:${key}`, windowMs, limit, wanted));
      }
      const now = clock.now().getTime();
      const start = Math.floor(now / windowMs) * windowMs;
      const id = `${windowMs}:${key}`;
      let row = rows.get(id);
      if (row === undefined || row.start < start - windowMs) row = { start, used: 0, before: 0 };
      else if (row.start < start) row = { start, used: 0, before: row.used };
      rows.set(id, row);
      const passed = (now - start) / windowMs;
      const free = Math.floor(limit - row.used - row.before * (1 - passed));
      const granted = Math.max(0, Math.min(wanted, free));
      row.used += granted;
      return Promise.resolve({
        granted,
        retryInMs: granted > 0 ? 0 : retryInMs(limit, windowMs, row.used, row.before, now - start),
      });
    },
    pause: () => Promise.resolve(),
  };
}

/** When the next call becomes free: still in this window as the one before it fades, or early in the next. */
function retryInMs(limit: number, windowMs: number, used: number, before: number, passedMs: number): number {
  if (used <= limit - 1 && before > 0) {
    return Math.max(1, Math.ceil(windowMs * (1 - (limit - used - 1) / before) - passedMs));
  }
  const intoNext = used > 0 ? Math.max(0, 1 - (limit - 1) / used) : 0;
  return Math.ceil(windowMs - passedMs + windowMs * intoNext);
}
