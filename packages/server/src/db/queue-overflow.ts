import type { PoolClient } from 'pg';
import { stopDescendantsOf } from '#db/execution-control';
import type { Environment } from '#domain/tenant';

/** How many are ended in one transaction; the next look at the queue ends the next ones. */
const endedAtOnce = 1_000;

// What has begun before (and came back from a wait or a lost worker) is not dropped: it stays in its line.
const endQueued = `with ended as (
    update execution e set state = 'stopped', finished_at = now(), error_text = $2
    where e.id = any($1::text[]) and e.state = 'queued' and e.started_at is null
    returning e.id)
  delete from queue where line = $3 and execution_id in (select id from ended)`;

/** Ends what waits in a line whose workflow runs as often as it may (`overflow: "drop"`). */
export async function dropQueued(client: PoolClient, line: string, limit: number): Promise<void> {
  const { rows } = await client.query<{ execution_id: string }>(
    `select execution_id from queue where line = $1 order by execution_id limit ${endedAtOnce} for update skip locked`,
    [line],
  );
  await client.query(endQueued, [
    rows.map((row) => row.execution_id),
    `Not started: the workflow runs ${limit} at a time already, and its overflow policy is "drop".`,
    line,
  ]);
}

/**
 * Makes place for the newest `limit` of a line (`overflow: "replace"`): older ones that wait are ended, and the
 * oldest that run are asked to stop, with their sub-flows. The newest begin when those have ended.
 */
export async function replaceRunning(
  client: PoolClient,
  line: string,
  key: string,
  limit: number,
): Promise<void> {
  const { rows } = await client.query<{ execution_id: string; is_kept: boolean }>(
    `with newest as (select execution_id from queue where line = $1 order by execution_id desc limit $2)
     select execution_id, execution_id in (select execution_id from newest) as is_kept
     from queue where line = $1 order by execution_id limit ${endedAtOnce} for update skip locked`,
    [line, limit],
  );
  const kept = rows.filter((row) => row.is_kept).length;
  const dropped = rows.filter((row) => !row.is_kept).map((row) => row.execution_id);
  if (dropped.length > 0) {
    await client.query(endQueued, [
      dropped,
      'Not started: a newer execution took its turn, because the overflow policy of the workflow is "replace".',
      line,
    ]);
  }
  const { rows: asked } = await client.query<{ id: string; org_id: string; environment: Environment }>(
    `with holder as (
       select id, stop_requested_at is not null as is_asked from execution
       where concurrency_key = $1 and finished_at is null
         and (state = 'running' or (holds_while_waiting and started_at is not null))
     ), oldest as (
       select id from holder where not is_asked order by id
       limit greatest(0, $2 - (select $3 - count(*) from holder) - (select count(*) from holder where is_asked))
     ), awake as (
       delete from wait where execution_id in (
         select e.id from execution e join oldest on oldest.id = e.id where e.state <> 'running')
     )
     update execution set stop_requested_at = now(),
       state = case when state = 'running' then state else 'stopped' end,
       finished_at = case when state = 'running' then null else now() end,
       error_text = 'Stopped: a newer execution took its place, because the overflow policy of the workflow is "replace".'
     where id in (select id from oldest) and finished_at is null
     returning id, org_id, environment`,
    [key, kept, limit],
  );
  await stopDescendantsOf(
    client,
    asked.map(({ id, org_id: orgId, environment }) => ({ id, tenant: { orgId, environment } })),
  );
}

/**
 * Ends executions that waited for a worker longer than `hours` since they were queued. Only the front of each line
 * is looked at: nobody in it is older.
 *
 * @returns how many
 */
export async function expireQueued(client: PoolClient, hours: number): Promise<number> {
  const { rowCount } = await client.query(
    `with recursive line as (
       (select line from queue order by line limit 1)
       union all
       select next.line from line cross join lateral (
         select q.line from queue q where q.line > line.line order by q.line limit 1) next
     ), old as (
       select front.line, front.execution_id from line cross join lateral (
         select q.line, q.execution_id, q.queued_at from queue q where q.line = line.line
         order by q.execution_id limit ${endedAtOnce} for update skip locked) front
       where front.queued_at < clock_timestamp() - $1 * interval '1 hour'
       limit ${endedAtOnce}
     ), gone as (
       delete from queue q using old where q.line = old.line and q.execution_id = old.execution_id
     )
     update execution e set state = 'timed_out', finished_at = now(),
       error_text = 'It waited ' || $1 || ' hours for a worker, longer than executions may wait (INLAY_QUEUE_MAX_AGE_H).'
     from old where e.id = old.execution_id and e.state in ('queued', 'waiting')`,
    [hours],
  );
  return rowCount ?? 0;
}
