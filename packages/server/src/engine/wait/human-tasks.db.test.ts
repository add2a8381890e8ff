import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { AppError } from '#domain/errors';
import type { NodeServices } from '#engine/node-services';
import { nodeRegistry, responseOf } from '#engine/index';
import { humanTask } from '#engine/nodes/human-task';
import { response } from '#engine/nodes/response';
import { start } from '#engine/nodes/start';
import { openTestEngine, type TestEngine } from '#engine/testing';
import { createHumanTasks, type HumanTasks } from '#human-tasks/index';
import type { MailMessage, MailResult } from '#mail/index';
import { testVault } from '#vault/testing';

let bench: TestEngine;
let tasks: HumanTasks;
let sent: MailMessage[] = [];
const sentWell: MailResult = { isSent: true, messageId: '<1>', accepted: [], rejected: [], smtpHost: 'mail' };
/** What the mail server says; tests set it. */
let deliver: (message: MailMessage) => Promise<MailResult>;

before(async () => {
  const humanTasks: NodeServices['humanTasks'] = {
    open: (...of) => tasks.open(...of),
    settle: (...of) => tasks.settle(...of),
  };
  bench = await openTestEngine({
    registry: nodeRegistry([start, response, humanTask]),
    services: { humanTasks },
  });
  tasks = createHumanTasks({
    pool: bench.database.pool,
    clock: bench.clock,
    vault: testVault(),
    mail: {
      send: async (_tenant, message) => {
        sent.push(message);
        return deliver(message);
      },
    },
    config: { publicUrl: 'https://inlay.example' },
  });
});
beforeEach(() => {
  sent = [];
  deliver = async () => sentWell;
});
afterEach(() => assert.ok(sent.every(({ text }) => !text!.includes('[['))));
after(() => bench.close());

const settings = {
  title: 'Approve the invoice',
  receivers: 'ann@example.com, bob@example.com',
  subject: 'Please approve',
  body: 'Here: [[form_url]]',
  timeout_minutes: 60,
  fields: [
    { name: 'invoice', label: 'Invoice', type: 'text', read_only: true },
    { name: 'amount', label: 'Amount', type: 'number', required: true },
    { name: 'paid_on', type: 'date' },
    { name: 'verdict', type: 'radio', required: true, options: ['yes', { label: 'No!', value: 'no' }] },
  ],
  prefill: { invoice: '{{event.invoice}}', amount: '{{event.amount}}' },
};
const payload = { invoice: 'R-17', amount: 12.5 };

function publish(more: object = {}): Promise<string> {
  return bench.publish(
    [
      ['2', 'human_task', { ...settings, ...more }],
      ['3', 'response', { data: '{{node.2.body}}' }],
    ],
    [
      ['1', '2'],
      ['2', '3'],
    ],
  );
}

/** An execution that waits for its form, and the id from the link in its mail. */
async function waiting(more: object = {}): Promise<{ id: string; token: string }> {
  const id = await bench.start(await publish(more), payload);
  await bench.reached(id, 'waiting');
  return { id, token: /\/tasks\/([\w-]{43})$/.exec(sent.at(-1)!.text ?? '')![1]! };
}

const refusal = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;
const good = { amount: '13', verdict: 'no' };

test('a form that is sent in resumes its execution with the values, typed and named', async () => {
  const { id, token } = await waiting();
  assert.deepEqual(
    sent.map(({ to, subject }) => [to.map(({ address }) => address), subject]),
    [[['ann@example.com', 'bob@example.com'], 'Please approve']],
  );
  const task = await tasks.read(token);
  assert.equal(task.status, 'WAITING');
  assert.deepEqual(task.form.prefilled, { invoice: 'R-17', amount: 12.5, paid_on: null, verdict: null });
  await tasks.submit(token, { ...good, paid_on: '2026-02-28' });
  assert.deepEqual(responseOf(await bench.ended(id)), {
    invoice: 'R-17',
    amount: 13,
    paid_on: '2026-02-28',
    verdict: 'no',
    form_status: 'submitted',
  });
  assert.equal((await tasks.read(token)).status, 'SUBMITTED');
});

test('of 20 submissions at once exactly one wins, and it is the one that the workflow reads', async () => {
  const { id, token } = await waiting();
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => tasks.submit(token, { amount: n, verdict: 'yes' })),
  );
  const winners = answers.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
  assert.equal(winners.length, 1);
  for (const answer of answers) {
    if (answer.status === 'rejected')
      assert.ok(refusal('human_task_closed')(answer.reason), String(answer.reason));
  }
  assert.equal((responseOf(await bench.ended(id)) as { amount: number }).amount, winners[0]);
});

test('an answer that is incomplete, wrong or changes what is read-only is refused, field by field', async () => {
  const { token } = await waiting();
  const problems = async (given: Record<string, unknown>): Promise<string[]> => {
    const error = await tasks.submit(token, given).then(
      () => assert.fail('it was taken'),
      (refused: unknown) => refused as AppError,
    );
    assert.equal(error.code, 'invalid_request');
    return (error.details as { problems: { path: string }[] }).problems.map(({ path }) => path).toSorted();
  };
  assert.deepEqual(await problems({}), ['amount', 'verdict']);
  assert.deepEqual(await problems({ ...good, invoice: 'R-18' }), ['invoice']);
  assert.deepEqual(await problems({ ...good, invoice: '' }), ['invoice']);
  assert.deepEqual(await problems({ ...good, verdict: 'maybe' }), ['verdict']);
  assert.deepEqual(await problems({ ...good, amount: '0x10' }), ['amount']);
  assert.deepEqual(await problems({ ...good, paid_on: '2026-02-30' }), ['paid_on']);
  assert.deepEqual(await problems({ ...good, extra: 1, __proto__x: 2 }), ['__proto__x', 'extra']);
  assert.deepEqual(await problems({ ...good, amount: [1] }), ['amount']);
  await tasks.submit(token, { ...good, invoice: 'R-17' });
});

test('when the time is over the node succeeds with timed_out, and a late answer is refused', async () => {
  const { id, token } = await waiting({ timeout_minutes: 1 });
  bench.clock.advance(61_000);
  await assert.rejects(tasks.submit(token, good), refusal('human_task_closed'));
  assert.deepEqual(responseOf(await bench.ended(id)), { form_status: 'timed_out' });
  assert.equal((await tasks.read(token)).status, 'TIMEOUT');
});

test('stopping the execution takes the form away', async () => {
  const { id, token } = await waiting();
  await bench.engine.stop(bench.tenant, id);
  await assert.rejects(tasks.read(token), refusal('human_task_not_found'));
  await assert.rejects(tasks.submit(token, good), refusal('human_task_not_found'));
  await assert.rejects(tasks.read('A'.repeat(43)), refusal('human_task_not_found'));
});

test('an answer that comes before the node waits is not lost', async () => {
  // The receiver is faster than the mail server says that it took the message.
  deliver = async ({ text }) => {
    await tasks.submit(/\/tasks\/([\w-]{43})$/.exec(text!)![1]!, good);
    return sentWell;
  };
  const id = await bench.start(await publish(), payload);
  assert.equal((responseOf(await bench.ended(id)) as { form_status: string }).form_status, 'submitted');
});

test('a worker that dies while it mails leaves a task that stands and is not mailed twice', async () => {
  // The first worker never hears from the mail server; what it left is found by a second one.
  const place = { executionId: 'e'.repeat(24), nodeId: '2', batch: '' };
  const task = {
    form: { title: 'T', description: '', fields: [], prefilled: {} },
    dueAt: new Date(bench.clock.now().getTime() + 60_000),
    mail: { to: [{ name: '', address: 'ann@example.com' }], subject: 'S', text: 'at [[form_url]]' },
  };
  const mailing = Promise.withResolvers<void>();
  deliver = () => {
    mailing.resolve();
    return new Promise(() => undefined);
  };
  void tasks.open(bench.tenant, place, task);
  await mailing.promise;
  deliver = async () => sentWell;
  const again = await tasks.open(bench.tenant, place, { ...task, dueAt: new Date(0) });
  assert.deepEqual(again, { dueAt: task.dueAt, mail: { kind: 'unknown' } });
  assert.equal(sent.length, 1);
  const { rows } = await bench.database.pool.query('select mail from human_task where execution_id = $1', [
    place.executionId,
  ]);
  assert.deepEqual(rows, [{ mail: 'unknown' }]);
});

test('mail that was certainly not taken is tried again with the same link and Message-ID key', async () => {
  let tries = 0;
  deliver = async () =>
    ++tries === 1 ? { isSent: false, message: 'The mail server is busy.', retry: 'safe' } : sentWell;
  const workflow = await publish();
  const id = await bench.start(workflow, payload);
  await bench.reached(id, 'waiting');
  assert.equal(tries, 2);
  assert.equal(sent[0]!.text, sent[1]!.text);
  assert.equal(sent[0]!.idempotencyKey, sent[1]!.idempotencyKey);
});

test('mail that is refused for good fails the node with what the server said', async () => {
  deliver = async () => ({ isSent: false, message: 'The mail server refused the message.', retry: 'never' });
  const detail = await bench.ended(await bench.start(await publish(), payload));
  assert.equal(detail.header.state, 'errored');
  assert.match(JSON.stringify(detail.nodes), /The mail server refused the message/);
});

test('settings that cannot work fail the node and name the field', async () => {
  const cases: [object, RegExp][] = [
    [{ body: 'no link' }, /body: must contain \[\[form_url\]\]/],
    [{ timeout_minutes: 0 }, /timeout_minutes: must be at least 1/],
    [{ timeout_minutes: '' }, /timeout_minutes: must be at least 1/],
    [{ receivers: '' }, /receivers: name a receiver/],
    [{ receivers: 'nobody' }, /receivers: .*not an e-mail address/],
    [{ fields: [] }, /fields: list the fields/],
    [{ fields: [{ name: 'a b', type: 'text' }] }, /fields\.0\.name: use letters/],
    [{ fields: [{ name: 'a', type: 'file' }] }, /fields\.0\.type: use text, number/],
    [{ fields: [{ name: 'a', type: 'radio' }] }, /fields\.0\.options: list the options/],
    [{ prefill: { nope: 1 } }, /prefill\.nope is not a field of the form/],
    [{ prefill: { amount: 'x', invoice: 'R' } }, /prefill\.amount must be a number/],
    [
      { fields: [{ name: 'a', type: 'text', required: true, read_only: true }], prefill: {} },
      /prefill\.a is required and read-only/,
    ],
  ];
  for (const [more, said] of cases) {
    const detail = await bench.ended(await bench.start(await publish(more), payload));
    assert.equal(detail.header.state, 'errored');
    assert.match(JSON.stringify(detail.nodes.map(({ error }) => error)), said);
  }
  assert.equal(sent.length, 0);
});

test('neither the link, nor what stands in the form, is stored readable', async () => {
  const { token } = await waiting({ prefill: { invoice: 'top-secret-17', amount: 1 } });
  await tasks.submit(token, good);
  const { rows } = await bench.database.pool.query<Record<string, unknown>>('select * from human_task');
  const all = rows.map((row) =>
    Object.values(row)
      .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value)))
      .join(' '),
  );
  assert.ok(all.every((text) => !text.includes(token) && !text.includes('top-secret-17')));
  const hash = createHash('sha256').update(token).digest();
  assert.ok(rows.some((row) => (row['token_hash'] as Buffer).equals(hash)));
});
