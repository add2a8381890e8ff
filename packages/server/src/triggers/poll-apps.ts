import { createHash } from 'node:crypto';
import type { PollItem, PollResult } from '@inlay/connectors/kit';
import { ProviderError } from '@inlay/connectors/kit';
import { type ConnectionDeps, pollApp, type PolledTrigger } from '#connections/index';
import { clientTransaction } from '#db/client-transaction';
import { findCustomPoll } from '#db/custom-poll';
import {
  claimPolls,
  extendPoll,
  finishPoll,
  holdPoll,
  releasePoll,
  rememberRecords,
  type ClaimedPoll,
} from '#db/poll';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import { readPollSpec, type PollSpec } from '#domain/poll-spec';
import { type Arrival, passesConditions, readTriggerConditions } from '#domain/trigger-guard';
import { shareOf } from '#domain/schedule-times';
import type { TriggerDeps } from '#triggers/deps';
import { readCustomPoll } from '#triggers/custom-poll-definition';

export type PollDeps = TriggerDeps & ConnectionDeps;

const minute = 60_000;
/** A poll that takes longer may be begun by somebody else; only one of the two can write. */
const leaseMs = 5 * minute;
const longestWaitMs = 60 * minute;
/** An account that must authorize again resumes its polls when it does; this is for the case that nobody tells. */
const reauthWaitMs = 15 * minute;
const refusedWaitMs = 5 * minute;
/** Records whose executions commit together. */
const chunkSize = 500;
const rememberMs = 24 * 60 * minute;

/** A poll that this process has taken. */
export interface RunningPoll {
  readonly finished: Promise<void>;
}

/**
 * Takes polls that are due and begins them. `finished` never rejects: what goes wrong is written to the poll.
 *
 * @param signal - aborted when the process ends: the polls are left to others, as if they had not begun
 */
export async function beginPolls(deps: PollDeps, limit: number, signal: AbortSignal): Promise<RunningPoll[]> {
  const claim = newId();
  const polls = await claimPolls(deps.pool, { now: deps.clock.now(), limit, claim, leaseMs });
  return polls.map((poll) => ({ finished: run(deps, poll, claim, signal) }));
}

async function run(deps: PollDeps, poll: ClaimedPoll, claim: string, signal: AbortSignal): Promise<void> {
  try {
    await pollOnce(deps, poll, claim, signal);
  } catch (error) {
    const now = deps.clock.now();
    const end = signal.aborted ? { nextAt: now } : failureOf(deps, poll, error, now);
    await releasePoll(deps.pool, poll, claim, end).catch((fault: unknown) =>
      deps.log.warn({ err: fault, pollId: poll.id }, 'A poll could not be given back; its lease will end.'),
    );
  }
}

async function pollOnce(
  deps: PollDeps,
  poll: ClaimedPoll,
  claim: string,
  signal: AbortSignal,
): Promise<void> {
  const now = deps.clock.now();
  const isWanted = poll.is_target && passesAccessFilter(readAccessFilter(poll.access_filter), poll.udf);
  if (poll.trigger === null || !isWanted) {
    await releasePoll(deps.pool, poll, claim, { nextAt: new Date(now.getTime() + refusedWaitMs) });
    return;
  }
  const spec = specOf(poll);
  const trigger = await triggerOf(deps, poll, spec);
  const target = JSON.stringify([spec.app, trigger]);
  // Nothing is known of what is there: the first poll only looks, so that old records start nothing.
  const isBaseline = poll.cursor_at === null || poll.target !== target;
  const result = await pollApp(deps, {
    tenant: tenantOf(poll),
    linkedAccountId: poll.linked_account_id,
    slug: spec.app,
    trigger,
    since: isBaseline ? now : poll.cursor_at,
    until: now,
    signal,
    // The next poll is the next attempt.
    maxAttempts: 1,
  });
  await store(deps, poll, claim, { spec, target, isBaseline, result });
}

interface Read {
  readonly spec: PollSpec;
  readonly target: string;
  readonly isBaseline: boolean;
  readonly result: PollResult & { readonly overlapMs: number };
}

/**
 * Writes what a poll found. The versions of records that it remembers commit together with the executions that they
 * start, and the cursor with the last of them: whenever the process ends, what is remembered has been started, and
 * what is not will be listed again.
 */
async function store(
  { pool, clock, engine }: PollDeps,
  poll: ClaimedPoll,
  claim: string,
  { spec, target, isBaseline, result }: Read,
): Promise<void> {
  const guard = readTriggerConditions(poll.trigger ?? {});
  const chunks = chunked(result.items.map((item) => ({ item, hash: hashOf(item) })));
  let started = 0;
  for (const [index, chunk] of chunks.entries()) {
    const isLast = index === chunks.length - 1;
    const isOurs = await clientTransaction(pool, async (client) => {
      const held = await holdPoll(client, poll, claim);
      if (held === undefined) return false;
      const now = clock.now();
      const hashes = chunk.map(({ hash }) => hash);
      const unknown = await rememberRecords(client, poll, hashes, now);
      // A record that the conditions turn away has been seen all the same: only another version of it is asked again.
      const fresh = isBaseline
        ? []
        : chunk.filter(
            ({ hash, item }) =>
              unknown.has(hash.toString('hex')) && passesConditions(guard, arrivalOf(poll, spec, item)),
          );
      await engine.startInTransaction(
        client,
        fresh.map(({ item }) => ({ tenant: tenantOf(poll), input: startOf(poll, spec, held.version, item) })),
      );
      started += fresh.length;
      const everyMs = spec.everyMinutes * minute;
      if (!isLast) {
        await extendPoll(client, poll, new Date(now.getTime() + leaseMs));
        return true;
      }
      const cursorAt = new Date(result.cursor);
      await finishPoll(client, poll, {
        target,
        cursorAt,
        // Each poll of an app at its own pace, up to a tenth slower: those that began together drift apart.
        nextAt: new Date(now.getTime() + everyMs * (1 + 0.1 * shareOf(poll.id))),
        now,
        forgetBefore: new Date(now.getTime() - rememberMs - result.overlapMs - 2 * everyMs),
        started,
        warning: result.isTruncated ? truncated(result.items.length) : null,
      });
      return true;
    });
    if (!isOurs) return;
    if (started > 0) engine.wake();
  }
}

function truncated(count: number): string {
  return `The app lists more records than one poll reads (${count}); those that are left are asked for at the next one. Let the trigger ask for less.`;
}

/** At least one chunk: the last one moves the cursor. */
function chunked<T>(items: readonly T[]): (readonly T[])[] {
  const chunks: (readonly T[])[] = [];
  for (let i = 0; i < items.length; i += chunkSize) chunks.push(items.slice(i, i + chunkSize));
  return chunks.length === 0 ? [[]] : chunks;
}

function hashOf({ id }: PollItem): Buffer {
  return createHash('sha256').update(id).digest();
}

function startOf(poll: ClaimedPoll, spec: PollSpec, version: number, item: PollItem) {
  return {
    workflowId: poll.workflow_id,
    version,
    linkedAccount: { id: poll.linked_account_id, accountId: poll.account_id },
    configId: poll.config_id,
    slug: poll.app_slug ?? undefined,
    source: 'polling' as const,
    triggerEvent: spec.triggerId,
    payload: item.data,
  };
}

function arrivalOf(poll: ClaimedPoll, { triggerId }: PollSpec, { data }: PollItem): Arrival {
  return {
    payload: data,
    eventName: triggerId,
    accountId: poll.account_id,
    configId: poll.config_id,
    workflowId: poll.workflow_id,
  };
}

function tenantOf({ org_id, environment }: ClaimedPoll) {
  return { orgId: org_id, environment };
}

function specOf(poll: ClaimedPoll): PollSpec {
  const read = readPollSpec(poll.trigger ?? {}, poll.app_slug);
  if ('problems' in read) throw new AppError('invalid_request', { problems: read.problems });
  return read.spec;
}

async function triggerOf(deps: PollDeps, poll: ClaimedPoll, spec: PollSpec): Promise<PolledTrigger> {
  if (spec.customPollId === undefined) return { triggerId: spec.triggerId ?? '', params: spec.params };
  const found = await findCustomPoll(deps.db, tenantOf(poll), spec.app, spec.customPollId);
  if (found === undefined)
    throw new AppError('not_found', { what: 'Polling trigger', id: spec.customPollId });
  return { custom: readCustomPoll({ ...found.definition, name: found.name }) };
}

/** How long to leave a failing poll alone: twice as long each time, up to an hour, and as long as the app asks. */
function failureOf(deps: PollDeps, poll: ClaimedPoll, error: unknown, now: Date) {
  const code = error instanceof AppError ? error.code : undefined;
  const needsReauth = code === 'not_connected' || code === 'connection_needs_reauth';
  if (code === undefined)
    deps.log.warn({ err: error, pollId: poll.id }, 'A poll failed because of a fault of ours.');
  const asked =
    error instanceof AppError && error.cause instanceof ProviderError ? error.cause.retryAfterMs : undefined;
  const backoffMs = Math.min(minute * 2 ** Math.min(poll.failures, 10), longestWaitMs);
  const waitMs = needsReauth ? reauthWaitMs : Math.max(backoffMs, asked ?? 0);
  const reason =
    error instanceof AppError ? error.message : 'It failed because of a fault on our side; see the log.';
  return { nextAt: new Date(now.getTime() + waitMs), failure: { reason, needsReauth, at: now } };
}
