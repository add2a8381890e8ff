import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { createTestApi, type TestApi } from '#api/testing';
import { earliestSchedule, postponeSchedule } from '#db/schedule';
import { deriveTriggers } from '#db/trigger-registration';
import type { Clock } from '#domain/clock';
import { newId } from '#domain/ids';
import type { Engine } from '#engine/index';
import { publishWorkflow, createWorkflow, unpublishWorkflow, deleteWorkflow } from '#workflows/index';
import { fireSchedules } from '#triggers/fire-schedules';
import type { TriggerDeps } from '#triggers/deps';

let api: TestApi;
before(async () => (api = await createTestApi()));
after(() => api.close());

/** A scheduler whose clock the test sets; the engine behind it is the API's. */
function schedulerAt(engine: Pick<Engine, 'startInTransaction' | 'wake'> = api.deps.engine) {
  let now = new Date('2030-01-01T00:00:00Z');
  const clock: Clock = { now: () => now };
  const deps: TriggerDeps = { ...api.deps, clock, engine, log: pino({ level: 'silent' }) };
  return {
    deps,
    async at(time: string): Promise<void> {
      now = new Date(time);
      for (;;) if ((await fireSchedules(deps, 200)) < 200) return;
    },
  };
}

/** A workflow that a start node's schedule starts. */
async function publish(trigger: Record<string, unknown>, options: { app?: string; owner?: string } = {}) {
  const { tenant } = api.org;
  const owner =
    options.owner === undefined ? undefined : { id: options.owner, accountId: options.owner, name: null };
  const caller = { tenant, isCustomer: false, linkedAccount: owner };
  const workflow = await createWorkflow(api.deps, caller, {
    name: `Scheduled ${newId()}`,
    slug: options.app,
    isAutoEnabled: true,
    nodes: startNode(trigger),
  });
  await publishWorkflow(api.deps, caller, workflow.id);
  return { id: workflow.id, caller };
}

const startNode = (trigger: Record<string, unknown>) => [
  { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'schedule', ...trigger } } },
];

async function change(id: string, trigger: Record<string, unknown>): Promise<void> {
  const response = await api.app.inject({
    method: 'PUT',
    url: `/api/v2/public/workflow/${id}`,
    headers: key(),
    payload: { nodes: startNode(trigger) },
  });
  assert.equal(response.statusCode, 200, response.body);
}

const key = () => ({ 'x-api-key': api.org.keys.test });

async function started(
  workflowId: string,
): Promise<{ account_id: string; payload: unknown; source: string }[]> {
  const { rows } = await api.database.pool.query(
    `select e.account_id, e.source, j.output as payload from execution e
     join journal j on j.execution_id = e.id and j.seq = 0
     where e.workflow_id = $1 order by e.id`,
    [workflowId],
  );
  return rows as never;
}

async function ticks(workflowId: string): Promise<string[]> {
  const { rows } = await api.database.pool.query<{ due_at: Date; reason: string | null }>(
    `select t.due_at, t.reason from schedule_tick t join schedule s on s.id = t.schedule_id
     where s.workflow_id = $1 order by t.due_at`,
    [workflowId],
  );
  return rows.map((row) => `${row.due_at.toISOString().slice(5, 16)} ${row.reason ?? 'started'}`);
}

test('a published schedule fires for every account that has the workflow on, with its payload', async () => {
  const scheduler = schedulerAt();
  const accounts = await Promise.all(['s-ann', 's-ben'].map((id) => api.addLinkedAccount(id)));
  const { id } = await publish({ cron: '0 9 * * *', payload: { greeting: 'hello' } });
  await deriveTriggers(api.database.db, 'all');
  await scheduler.at('2030-01-01T08:00:00Z'); // works out the first occurrence
  assert.deepEqual(await started(id), []);
  await scheduler.at('2030-01-01T09:01:00Z');
  const runs = await started(id);
  assert.deepEqual(
    runs.map((run) => run.account_id).sort(),
    accounts.map((account) => account.accountId).sort(),
  );
  assert.deepEqual(runs[0], {
    account_id: runs[0]!.account_id,
    source: 'schedule',
    payload: { greeting: 'hello' },
  });
  await scheduler.at('2030-01-01T09:02:00Z');
  assert.equal((await started(id)).length, 2);
  await unpublishWorkflow(api.deps, { tenant: api.org.tenant, isCustomer: false }, id);
});

test('the conditions of a schedule decide for each account, and an occurrence that they refuse says so', async () => {
  const scheduler = schedulerAt();
  await Promise.all(['s-only', 's-other'].map((id) => api.addLinkedAccount(id)));
  const { id } = await publish({
    cron: '0 9 * * *',
    payload: { region: 'EU' },
    conditions: [
      { variable: '{{event.region}}', operator: 'eq', value: 'EU' },
      { variable: '{{linked_account.id}}', operator: 'eq', value: 's-only' },
    ],
  });
  await deriveTriggers(api.database.db, 'all');
  await scheduler.at('2030-01-01T08:00:00Z');
  await scheduler.at('2030-01-01T09:01:00Z');
  assert.deepEqual(
    (await started(id)).map((run) => run.account_id),
    ['s-only'],
  );
  assert.ok((await ticks(id)).includes('01-01T09:00 The conditions of the trigger do not hold.'));
  await unpublishWorkflow(api.deps, { tenant: api.org.tenant, isCustomer: false }, id);
});

test('an account that is too many at the same minute waits its part of it, never longer than a minute', async () => {
  const scheduler = schedulerAt();
  const { id } = await publish({ cron: '0 9 * * *' });
  await scheduler.at('2030-01-01T08:00:00Z');
  const { rows } = await api.database.pool.query<{ late: number }>(
    `select extract(epoch from next_at - due_at)::float8 as late from schedule where workflow_id = $1`,
    [id],
  );
  assert.ok(rows.length >= 2);
  assert.ok(rows.every(({ late }) => late >= 0 && late < 60));
  assert.ok(new Set(rows.map(({ late }) => late)).size > 1);
  await unpublishWorkflow(api.deps, { tenant: api.org.tenant, isCustomer: false }, id);
});

test('a schedule of an older version, an unpublished or a deleted workflow never fires again', async () => {
  const scheduler = schedulerAt();
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const { id, caller } = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await scheduler.at('2030-01-01T08:00:00Z');
  await change(id, { cron: '0 18 * * *' });
  await publishWorkflow(api.deps, caller, id);
  await scheduler.at('2030-01-01T10:00:00Z');
  assert.deepEqual(await ticks(id), [], 'nine o’clock was the old version’s');
  await scheduler.at('2030-01-01T18:01:00Z');
  assert.deepEqual(await ticks(id), ['01-01T18:00 started']);

  await unpublishWorkflow(api.deps, caller, id);
  await scheduler.at('2030-01-02T18:01:00Z');
  assert.equal((await started(id)).length, 1);
  await publishWorkflow(api.deps, caller, id);
  await scheduler.at('2030-01-03T00:00:00Z');
  await deleteWorkflow(api.deps, caller, id);
  await scheduler.at('2030-01-03T18:01:00Z');
  assert.equal((await started(id)).length, 1);
});

test('a registration that somebody forgot starts nothing, and says why', async () => {
  const scheduler = schedulerAt();
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const { id } = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await scheduler.at('2030-01-01T08:00:00Z');
  // Behind the back of everything that derives registrations.
  await api.database.pool.query(`update workflow set published_version = null where id = $1`, [id]);
  await scheduler.at('2030-01-01T09:01:00Z');
  assert.deepEqual(await ticks(id), ['01-01T09:00 The workflow is not published.']);
  await api.database.pool.query(
    `update workflow set published_version = 1, trigger = trigger || '{"cron": "0 3 * * *"}' where id = $1`,
    [id],
  );
  await scheduler.at('2030-01-02T09:01:00Z');
  assert.equal((await ticks(id))[1], '01-02T09:00 The published version has another schedule.');
  assert.deepEqual(await started(id), []);
});

test('publishing again without another schedule keeps the occurrence that is due', async () => {
  const scheduler = schedulerAt();
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const { id, caller } = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await scheduler.at('2030-01-01T08:00:00Z');
  await api.app.inject({
    method: 'PUT',
    url: `/api/v2/public/workflow/${id}`,
    headers: key(),
    payload: { description: 'Another text' },
  });
  await publishWorkflow(api.deps, caller, id);
  await scheduler.at('2030-01-01T09:01:00Z');
  assert.deepEqual(await ticks(id), ['01-01T09:00 started']);
});

for (const [policy, expected] of [
  ['skip', []],
  ['one', ['01-01T14:00 started']],
  [
    'all',
    ['01-01T10:00', '01-01T11:00', '01-01T12:00', '01-01T13:00', '01-01T14:00'].map((at) => `${at} started`),
  ],
] as const) {
  test(`after a night without a scheduler, catch-up "${policy}" fires ${expected.length}`, async () => {
    const scheduler = schedulerAt();
    const account = await api.addLinkedAccount(`s-${newId()}`);
    const { id } = await publish({ cron: '0 * * * *', catch_up: policy }, { owner: account.id });
    await scheduler.at('2030-01-01T09:30:00Z');
    await scheduler.at('2030-01-01T14:30:00Z');
    assert.deepEqual(await ticks(id), expected);
  });
}

test('a schedule that cannot start says why, is tried again, and holds up nobody', async () => {
  const failing: Pick<Engine, 'startInTransaction' | 'wake'> = {
    wake: () => undefined,
    startInTransaction: (client, starts) =>
      starts.some(({ input }) => input.payload !== null && (input.payload as { bad?: true }).bad === true)
        ? Promise.reject(new Error('The disk is full.'))
        : api.deps.engine.startInTransaction(client, starts),
  };
  const scheduler = schedulerAt(failing);
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const bad = await publish({ cron: '0 9 * * *', payload: { bad: true } }, { owner: account.id });
  const good = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await scheduler.at('2030-01-01T08:00:00Z');
  await scheduler.at('2030-01-01T09:01:00Z');
  assert.deepEqual(await ticks(good.id), ['01-01T09:00 started']);
  assert.deepEqual(await ticks(bad.id), []);
  const { rows } = await api.database.pool.query<{ last_error: string; due_at: Date; next_at: Date }>(
    'select last_error, due_at, next_at from schedule where workflow_id = $1',
    [bad.id],
  );
  assert.match(rows[0]!.last_error, /fault on our side/);
  assert.deepEqual(rows[0]!.due_at, new Date('2030-01-01T09:00:00Z'), 'the occurrence is still owed');
  await schedulerAt().at('2030-01-01T09:03:00Z');
  assert.deepEqual(await ticks(bad.id), ['01-01T09:00 started']);
});

test('a schedule that was changed while it could not fire keeps the change', async () => {
  const { pool } = api.database;
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const { id } = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await schedulerAt().at('2030-01-01T08:00:00Z');
  const read = async () => {
    const { rows } = await pool.query<{ id: string; due_at: Date; next_at: Date; last_error: string | null }>(
      'select id, due_at, next_at, last_error from schedule where workflow_id = $1',
      [id],
    );
    return rows[0]!;
  };
  const seen = await read();
  const later = { nextAt: new Date('2030-01-01T10:00:00Z'), error: 'The queue is full.' };
  await pool.query(`update schedule set due_at = $2, next_at = $2 where id = $1`, [
    seen.id,
    new Date('2030-01-01T12:00:00Z'),
  ]);
  const changed = await read();
  await postponeSchedule(pool, seen, later);
  assert.deepEqual(await read(), changed);
  await postponeSchedule(pool, changed, later);
  assert.deepEqual(await read(), { ...changed, next_at: later.nextAt, last_error: later.error });
});

test('an occurrence that stands already is not started again, whatever the row says', async () => {
  const scheduler = schedulerAt();
  const account = await api.addLinkedAccount(`s-${newId()}`);
  const { id } = await publish({ cron: '0 9 * * *' }, { owner: account.id });
  await scheduler.at('2030-01-01T08:00:00Z');
  await scheduler.at('2030-01-01T09:01:00Z');
  await api.database.pool.query(
    `update schedule set due_at = '2030-01-01T09:00Z', next_at = '2030-01-01T09:00Z' where workflow_id = $1`,
    [id],
  );
  await scheduler.at('2030-01-01T09:01:30Z');
  assert.deepEqual(await ticks(id), ['01-01T09:00 started']);
  assert.equal((await started(id)).length, 1);
});

test('a scheduler knows when the next one is due', async () => {
  const earliest = await earliestSchedule(api.database.pool);
  assert.ok(earliest !== undefined && earliest > new Date('2030-01-01T00:00:00Z'));
});
