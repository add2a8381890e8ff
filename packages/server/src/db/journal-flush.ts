import type { Pool, PoolClient } from 'pg';
import type { ExecutionState, JournalKind, JournalStatus } from '#db/schema';
import type { Tenant } from '#domain/tenant';

/** One step of an execution as it is written. Values are JSON text already; a large one is a hash into `blob`. */
export interface JournalRow {
  readonly executionId: string;
  readonly seq: number;
  readonly tenant: Tenant;
  readonly nodeId: string;
  /** Path of the iterations around the step; '' at the root. */
  readonly batch: string;
  /** Only of an iteration that ended: its position among its siblings. */
  readonly batchIndex?: number;
  readonly attempt: number;
  readonly kind: JournalKind;
  readonly status?: JournalStatus;
  readonly port?: string | undefined;
  readonly statusCode?: number | undefined;
  readonly durationMs?: number;
  readonly input?: StoredValue | undefined;
  readonly output?: StoredValue | undefined;
  readonly error?: string | undefined;
  readonly console?: string | undefined;
  readonly retryAt?: Date | undefined;
  /** What masking took out of the values above, sealed. */
  readonly secretsSealed?: Buffer | undefined;
  /** JSON text: variables of the run that the step set. */
  readonly variables?: string | undefined;
  readonly at: Date;
}

/** JSON text in the row, or content that goes to `blob` under its SHA-256. */
export type StoredValue = { readonly json: string } | { readonly hash: Buffer; readonly content: string };

export type EndState = Exclude<ExecutionState, 'queued' | 'running' | 'waiting'>;

/** The end of a run: a state that never changes again. */
export interface RunEnding {
  readonly executionId: string;
  readonly state: EndState;
  readonly responseNodeId?: string | undefined;
  readonly statusCode?: number | undefined;
  readonly failedNodeId?: string | undefined;
  readonly errorText?: string | undefined;
  readonly customFields?: Readonly<Record<string, string>> | undefined;
  readonly nodeCount: number;
  readonly finishedNodeCount: number;
  readonly at: Date;
}

export interface Flush {
  readonly workerId: string;
  readonly rows: readonly JournalRow[];
  readonly endings: readonly RunEnding[];
}

export interface FlushResult {
  /** False: this worker was declared dead and nothing was written. */
  readonly isAlive: boolean;
  /** Of the executions that are about to call the outside, those that somebody asked to stop. */
  readonly stopped: readonly string[];
}

const fence = `fence as materialized (
    select id from worker where id = $1 and is_alive for key share
  )`;

const insertRows = `insert into journal (execution_id, seq, org_id, environment, node_id, batch, batch_index, attempt, kind,
      status, port, status_code, duration_ms, input, input_blob, output, output_blob, error, console, retry_at, at,
      secrets_sealed, variables)
    select u.execution_id, u.seq, u.org_id, u.environment, u.node_id, u.batch, u.batch_index, u.attempt, u.kind,
      u.status, u.port, u.status_code, u.duration_ms, u.input, u.input_blob, u.output, u.output_blob, u.error,
      u.console, u.retry_at, u.at, u.secrets_sealed, u.variables
    from unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::smallint[],
      $10::text[], $11::text[], $12::text[], $13::int[], $14::bigint[], $15::json[], $16::bytea[], $17::json[],
      $18::bytea[], $19::json[], $20::json[], $21::timestamptz[], $22::timestamptz[],
      $23::bytea[], $24::json[])
      as u(execution_id, seq, org_id, environment, node_id, batch, batch_index, attempt, kind, status, port,
        status_code, duration_ms, input, input_blob, output, output_blob, error, console, retry_at, at, secrets_sealed,
        variables)
    where exists (select from fence)
    -- Only a flush that is sent again after a lost connection finds its own rows: nobody else may write them.
    on conflict (execution_id, seq) do nothing`;

const stopsAsked = `array(select id from execution where id = any($25::text[]) and stop_requested_at is not null)`;

const journalOnly = `with ${fence}, written as (${insertRows} returning 1)
  select (select count(*) from fence) = 1 as is_alive, ${stopsAsked} as stopped`;

// What a trigger does with every other end (0018_alerts): here it is one call for all of them.
const noteEnds = `select inlay_note_ends(array_agg(id), array_agg(org_id), array_agg(environment), array_agg(state),
    array_agg(app_slug), array_agg(workflow_id), array_agg(finished_at))
  from ended where is_listed and workflow_version is not null`;

// A stop ends what a run waits for at once, and reaches the run itself at its next look: it may hear of the one first.
const failsOfStop = `u.state = 'errored' and e.stop_requested_at is not null`;

// The bounds on id let the planner leave out the partitions that none of these runs is in. The owner is asked in a way
// that no index serves: that of owners is full of runs that have ended, and reading those took longer than all the rest.
const journalAndEndings = `with ${fence}, written as (${insertRows} returning 1), ended as (
    update execution e set owner = null, response_node_id = u.response_node_id, status_code = u.status_code,
      state = case when ${failsOfStop} then 'stopped' else u.state end,
      failed_node_id = case when ${failsOfStop} then null else u.failed_node_id end,
      error_text = case when ${failsOfStop} then null else u.error_text end,
      node_count = u.node_count, finished_node_count = u.finished_node_count,
      finished_at = u.at, custom_field_values = u.custom_fields
    from unnest($26::text[], $27::text[], $28::text[], $29::int[], $30::text[], $31::text[], $32::int[], $33::int[],
      $34::timestamptz[], $37::jsonb[])
      as u(id, state, response_node_id, status_code, failed_node_id, error_text, node_count, finished_node_count, at,
        custom_fields)
    where e.id = u.id and e.id = any($26::text[]) and e.id between $35 and $36 and e.owner is not distinct from $1
      and exists (select from fence)
    returning e.id, e.org_id, e.environment, e.state, e.app_slug, e.workflow_id, e.workflow_version, e.is_listed,
      e.finished_at)
  select (select count(*) from fence) = 1 as is_alive, ${stopsAsked} as stopped, (${noteEnds}) as noted`;

/**
 * Writes journal rows and run endings of one worker in one statement, under a key-share lock on the worker's own
 * live row: a worker that was declared dead while it was frozen writes nothing.
 */
export async function flushJournal(
  client: Pool | PoolClient,
  { workerId, rows, endings }: Flush,
): Promise<FlushResult> {
  const values = [workerId, ...journalColumns(rows)];
  const stopCandidates = rows.filter((row) => row.kind === 'start').map((row) => row.executionId);
  const query =
    endings.length === 0
      ? { name: 'inlay-journal', text: journalOnly, values: [...values, stopCandidates] }
      : {
          name: 'inlay-journal-end',
          text: journalAndEndings,
          values: [...values, stopCandidates, ...endingColumns(endings)],
        };
  const { rows: answer } = await client.query<{ is_alive: boolean; stopped: string[] }>(query);
  return { isAlive: answer[0]!.is_alive, stopped: answer[0]!.stopped };
}

const storeBlobs = `insert into blob (org_id, environment, hash, content)
  select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[])
  on conflict (org_id, environment, hash) do update set used_on = excluded.used_on
    where blob.used_on < excluded.used_on`;

/** Stores large values. They go before the rows that refer to them: one without a reference harms nobody. */
export async function storeLargeValues(
  client: Pool | PoolClient,
  values: readonly { readonly tenant: Tenant; readonly value: StoredValue | undefined }[],
): Promise<void> {
  const blobs = new Map<string, { tenant: Tenant; hash: Buffer; content: string }>();
  for (const { tenant, value } of values) {
    if (value === undefined || 'json' in value) continue;
    blobs.set(`${tenant.orgId}/${tenant.environment}/${value.hash.toString('hex')}`, { tenant, ...value });
  }
  if (blobs.size === 0) return;
  // In the order of the key, so that two writers of the same blobs cannot wait for each other.
  const ordered = [...blobs.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, blob]) => blob);
  for (const piece of inPieces(ordered)) {
    await client.query({
      name: 'inlay-blobs',
      text: storeBlobs,
      values: [
        piece.map(({ tenant }) => tenant.orgId),
        piece.map(({ tenant }) => tenant.environment),
        piece.map(({ hash }) => hash),
        piece.map(({ content }) => content),
      ],
    });
  }
}

/** PostgreSQL takes messages of 1 GB at most, and memory for all copies of one is needed at once. */
const largestPiece = 16 * 1024 * 1024;

function inPieces<T extends { readonly content: string }>(blobs: readonly T[]): T[][] {
  const pieces: T[][] = [];
  let room = 0;
  for (const blob of blobs) {
    room -= blob.content.length;
    const last = pieces.at(-1);
    if (last !== undefined && room >= 0) {
      last.push(blob);
    } else {
      pieces.push([blob]);
      room = largestPiece - blob.content.length;
    }
  }
  return pieces;
}

export function journalColumns(rows: readonly JournalRow[]): unknown[] {
  return [
    rows.map((row) => row.executionId),
    rows.map((row) => row.seq),
    rows.map((row) => row.tenant.orgId),
    rows.map((row) => row.tenant.environment),
    rows.map((row) => row.nodeId),
    rows.map((row) => row.batch),
    rows.map((row) => row.batchIndex),
    rows.map((row) => row.attempt),
    rows.map((row) => row.kind),
    rows.map((row) => row.status),
    rows.map((row) => row.port),
    rows.map((row) => row.statusCode),
    rows.map((row) => row.durationMs),
    rows.map((row) => jsonOf(row.input)),
    rows.map((row) => hashOf(row.input)),
    rows.map((row) => jsonOf(row.output)),
    rows.map((row) => hashOf(row.output)),
    rows.map((row) => row.error),
    rows.map((row) => row.console),
    rows.map((row) => row.retryAt),
    rows.map((row) => row.at),
    rows.map((row) => row.secretsSealed),
    rows.map((row) => row.variables),
  ];
}

function endingColumns(endings: readonly RunEnding[]): unknown[] {
  const ids = endings.map((ending) => ending.executionId).sort();
  return [
    endings.map((ending) => ending.executionId),
    endings.map((ending) => ending.state),
    endings.map((ending) => ending.responseNodeId),
    endings.map((ending) => ending.statusCode),
    endings.map((ending) => ending.failedNodeId),
    endings.map((ending) => ending.errorText),
    endings.map((ending) => ending.nodeCount),
    endings.map((ending) => ending.finishedNodeCount),
    endings.map((ending) => ending.at),
    ids[0],
    ids.at(-1),
    endings.map(({ customFields }) => (customFields === undefined ? null : JSON.stringify(customFields))),
  ];
}

export function jsonOf(value: StoredValue | undefined): string | undefined {
  return value !== undefined && 'json' in value ? value.json : undefined;
}

export function hashOf(value: StoredValue | undefined): Buffer | undefined {
  return value !== undefined && 'hash' in value ? value.hash : undefined;
}
