import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { clientTransaction } from '#db/client-transaction';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { newId } from '#domain/ids';
import { openQueue, type Claim, type Queue } from '#engine/workers/queue';
import { listenForWakeUps, wakeUpSender } from '#engine/workers/wake-up';

let database: TestDatabase;
let queue: Queue;
const tenant = { orgId: newId(), environment: 'test' as const };

before(async () => {
  database = await createTestDatabase();
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [
    tenant.orgId,
  ]);
});
after(() => database.drop());
beforeEach(async () => {
  await database.pool.query(
    'delete from queue; delete from queue_delayed; delete from execution; delete from linked_account; delete from environment_limit',
  );
  queue = openQueue();
});

/** Accounts are named by a letter; their ids keep the order of the letters. */
async function account(letter: string): Promise<string> {
  const id = letter.repeat(24);
  await database.pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', $3) on conflict do nothing`,
    [id, tenant.orgId, letter],
  );
  return id;
}

interface Limit {
  readonly limit: number;
  readonly key?: string;
  readonly overflow?: string;
  readonly holds?: boolean;
}

/** Queues `count` executions of an account; answers their ids. */
async function enqueue(letter: string, count: number, limit?: Limit, bytes = 0): Promise<string[]> {
  const accountId = await account(letter);
  const ids = Array.from({ length: count }, () => newId());
  await clientTransaction(database.pool, async (client) => {
    await client.query(
      `insert into execution (id, org_id, environment, workflow_id, linked_account_id, account_id, config_id, source, mode,
         state, timeout_s, concurrency_key, concurrency_limit, concurrency_overflow, holds_while_waiting, payload_bytes)
       select id, $2, 'test', 'w', $3, $4, $4, 'api_call', 'async', 'queued', 60, $5, $6, $7, $8, $9 from unnest($1::text[]) as u(id)`,
      [
        ids,
        tenant.orgId,
        accountId,
        letter,
        limit && (limit.key ?? 'w'),
        limit?.limit,
        limit && (limit.overflow ?? 'queue'),
        limit?.holds ?? false,
        bytes,
      ],
    );
    await queue.enqueue(
      client,
      ids.map((executionId) => ({ executionId })),
    );
  });
  return ids;
}

/** Claims as a worker does, and says which accounts (by letter) and executions it got. */
async function claim(
  limit: number,
  options: { held?: Record<string, number>; bytes?: number; from?: Queue } = {},
) {
  let result: Claim | undefined;
  const rows = await clientTransaction(database.pool, async (client) => {
    const held = new Map(Object.entries(options.held ?? {}).map(([letter, n]) => [letter.repeat(24), n]));
    result = await (options.from ?? queue).claim(client, {
      limit,
      bytes: options.bytes ?? 1e9,
      free: 1_000,
      held,
    });
    const ids = result.jobs.map((job) => job.executionId);
    const { rows } = await client.query<{ id: string; account_id: string }>(
      `update execution set state = 'running', owner = 'w', started_at = coalesce(started_at, now())
       where id = any($1) returning id, account_id`,
      [ids],
    );
    return rows;
  });
  const accounts = rows
    .map((row) => row.account_id)
    .sort()
    .join('');
  return { ids: rows.map((row) => row.id), accounts, isHeldBack: result!.isHeldBack };
}

const end = (ids: readonly string[]) => set(ids, 'completed');
async function set(ids: readonly string[], state: string): Promise<void> {
  await database.pool.query(
    `update execution set state = $2, owner = case when $2 = 'running' then owner end,
       finished_at = case when $2 in ('waiting', 'queued', 'running') then null else now() end where id = any($1)`,
    [ids, state],
  );
}
async function stateOf(ids: readonly string[]) {
  const { rows } = await database.pool.query<{ state: string; error_text: string | null; asked: boolean }>(
    `select state, error_text, stop_requested_at is not null as asked from execution where id = any($1) order by id`,
    [ids],
  );
  return rows;
}

test("an account's first execution is in the next claim, however many another has queued before it", async () => {
  await enqueue('a', 5_000);
  await enqueue('b', 1);
  await enqueue('c', 2);
  assert.equal((await claim(4)).accounts, 'aabc');
});

test('a claim reads the front of each line, not all that stands in it', async () => {
  // As it is while a burst comes in: nothing was analyzed since.
  await enqueue('a', 5_000);
  await enqueue('b', 5_000);
  await clientTransaction(database.pool, async (client) => {
    const rowsRead = async () => {
      const { rows } = await client.query<{ read: number }>(
        `select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables where relname = 'queue'`,
      );
      return rows[0]!.read;
    };
    const before = await rowsRead();
    for (let looks = 0; looks < 8; looks += 1) {
      await queue.claim(client, { limit: 10, bytes: 1e9, free: 1_000, held: new Map() });
    }
    const read = (await rowsRead()) - before;
    assert.ok(read < 1_000, `${read} rows read to claim 80`);
  });
});

test('accounts take turns over claims, and each is served in the order it queued', async () => {
  const a = await enqueue('a', 4);
  await enqueue('b', 4);
  await enqueue('c', 4);
  const order: string[] = [];
  const served: string[] = [];
  for (let i = 0; i < 12; i += 1) {
    const { ids, accounts } = await claim(1);
    order.push(accounts);
    if (accounts === 'a') served.push(...ids);
  }
  assert.equal(order.join(''), 'abcabcabcabc');
  assert.deepEqual(served, a);
});

test('two workers never get the same execution, and together get them all', async () => {
  const ids = [...(await enqueue('a', 60)), ...(await enqueue('b', 60))];
  const other = openQueue();
  const got: string[] = [];
  while (got.length < 120) {
    const claims = await Promise.all([claim(10), claim(10, { from: other })]);
    for (const part of claims) got.push(...part.ids);
  }
  assert.deepEqual(got.toSorted(), ids.toSorted());
});

test('an account that fills a worker leaves places for a newcomer', async () => {
  await enqueue('a', 100);
  const free = async (slots: number, held: Record<string, number>) =>
    clientTransaction(database.pool, async (client) => {
      const map = new Map(Object.entries(held).map(([letter, n]) => [letter.repeat(24), n]));
      return (await queue.claim(client, { limit: slots, bytes: 1e9, free: slots, held: map })).jobs.length;
    });
  assert.equal(await free(100, {}), 75);
  assert.equal(await free(25, { a: 75 }), 0);
  await enqueue('b', 1);
  assert.equal(await free(25, { a: 75 }), 1);
});

test('a limit of running executions holds for each account, its own number before the one of the environment', async () => {
  await enqueue('a', 5);
  await enqueue('b', 5);
  await database.pool.query(`insert into environment_limit values ($1, 'test', 2)`, [tenant.orgId]);
  await database.pool.query(`update linked_account set running_limit = 1 where account_id = 'b'`);
  const first = await claim(10);
  assert.equal(first.accounts, 'aab');
  assert.deepEqual({ ...(await claim(10)), ids: [] }, { ids: [], accounts: '', isHeldBack: true });
  await end(first.ids);
  assert.equal((await claim(10)).accounts, 'aab');
});

test('one at a time is one at a time, however many workers claim at once', async () => {
  const ids = await enqueue('a', 30, { limit: 1 });
  const queues = Array.from({ length: 5 }, () => openQueue());
  const order: string[] = [];
  while (order.length < ids.length) {
    const got = (await Promise.all(queues.map((from) => claim(10, { from })))).flatMap((part) => part.ids);
    assert.ok(got.length <= 1, `${got.length} at a time`);
    order.push(...got);
    await end(got);
  }
  assert.deepEqual(order, ids);
});

test('what waits behind a full limit does not delay the other workflows of its account', async () => {
  const limited = await enqueue('a', 500, { limit: 1 });
  const [other] = await enqueue('a', 1);
  assert.deepEqual(new Set((await claim(10)).ids), new Set([limited[0], other]));
});

test('a suspended execution holds no slot, unless its workflow says so', async () => {
  for (const holds of [false, true]) {
    const key = `holds ${holds}`;
    const [first, second] = await enqueue('a', 2, { limit: 1, key, holds });
    assert.deepEqual((await claim(10)).ids, [first]);
    await set([first!], 'waiting');
    assert.deepEqual((await claim(10)).ids, holds ? [] : [second]);
    if (!holds) continue;
    // Queued again, it goes before whoever waits for its place, although it is the last to be queued.
    await set([first!], 'queued');
    await clientTransaction(database.pool, (client) => queue.enqueue(client, [{ executionId: first! }]));
    assert.deepEqual((await claim(10)).ids, [first]);
    assert.deepEqual((await claim(10)).ids, []);
    await end([first!]);
    assert.deepEqual((await claim(10)).ids, [second]);
  }
});

test('overflow "drop" ends what finds the limit reached, and says why', async () => {
  const [first, second, third] = await enqueue('a', 3, { limit: 1, overflow: 'drop' });
  assert.deepEqual((await claim(10)).ids, [first]);
  assert.deepEqual((await claim(10)).ids, []);
  const [dropped] = await stateOf([second!, third!]);
  assert.equal(dropped!.state, 'stopped');
  assert.match(dropped!.error_text!, /runs 1 at a time already.*"drop"/);
  await end([first!]);
  const [fourth] = await enqueue('a', 1, { limit: 1, overflow: 'drop' });
  assert.deepEqual((await claim(10)).ids, [fourth]);
});

test('overflow "replace" stops the oldest that runs for the newest that waits, and drops those between', async () => {
  const [first, second, third] = await enqueue('a', 3, { limit: 1, overflow: 'replace' });
  assert.deepEqual((await claim(10)).ids, [first]);
  await claim(10);
  await claim(10);
  const [running, between, newest] = await stateOf([first!, second!, third!]);
  assert.deepEqual([running!.state, running!.asked], ['running', true]);
  assert.equal(between!.state, 'stopped');
  assert.equal(newest!.state, 'queued');
  await set([first!], 'stopped');
  assert.deepEqual((await claim(10)).ids, [third]);
});

test('a claim takes no more payload than there is memory for, but one execution at least', async () => {
  await enqueue('a', 5, undefined, 1_000);
  assert.equal((await claim(10, { bytes: 2_500 })).ids.length, 3);
  assert.equal((await claim(10, { bytes: 10 })).ids.length, 1);
});

test('an execution that waited too long ends with the reason, and younger ones behind it stay', async () => {
  const [old, young] = await enqueue('a', 2);
  await database.pool.query(
    `update queue set queued_at = now() - interval '3 hours' where execution_id = $1`,
    [old],
  );
  assert.equal(await clientTransaction(database.pool, (client) => queue.reap(client, 2)), 1);
  const [ended, kept] = await stateOf([old!, young!]);
  assert.equal(ended!.state, 'timed_out');
  assert.match(ended!.error_text!, /waited 2 hours/);
  assert.equal(kept!.state, 'queued');
  assert.deepEqual((await claim(10)).ids, [young]);
});

test('a delayed execution is nobody’s before its time, and is queued once when it comes', async () => {
  const ids = await enqueue('a', 1);
  await claim(1);
  await set(ids, 'waiting');
  const delay = (at: Date) =>
    clientTransaction(database.pool, (client) => queue.delay(client, { executionId: ids[0]! }, at));
  const wakeDue = () => clientTransaction(database.pool, (client) => queue.wakeDue(client));
  await delay(new Date(Date.now() + 3_600_000));
  assert.equal(await wakeDue(), 0);
  await delay(new Date(Date.now() - 1_000));
  const woken = await Promise.all([wakeDue(), wakeDue()]);
  assert.deepEqual(woken.toSorted(), [0, 1]);
  assert.deepEqual((await claim(10)).ids, ids);
});

test('a wake-up reaches the other processes, and a broken connection is made again', async () => {
  let wakeUps = 0;
  let arrived: (() => void) | undefined;
  const next = () => new Promise<void>((resolve) => (arrived = resolve));
  const first = next();
  const listener = listenForWakeUps(database.url, () => {
    wakeUps += 1;
    arrived?.();
  });
  const sender = wakeUpSender(database.pool, (error) => assert.fail(String(error)));
  await first; // it looks once when it begins to listen
  const second = next();
  for (let i = 0; i < 100; i += 1) sender.send();
  await second;
  const again = next();
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'inlay-listen' and datname = current_database()`,
  );
  await again;
  assert.ok(wakeUps <= 10, `${wakeUps} wake-ups of 100 sent`);
  await sender.close();
  await listener.close();
});
