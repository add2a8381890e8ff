import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dedupKeyOf, guardProblems, passesConditions, readTriggerGuard } from '#domain/trigger-guard';
import { readWorkflowDocument } from '#domain/workflow-document';

const documentOf = (trigger: object, settings = {}) =>
  readWorkflowDocument({
    nodes: [
      { id: '1', node_type: 'start', data: { trigger: { kind: 'event', event: 'order', ...trigger } } },
    ],
    edges: [],
    settings,
  });
const arrival = (payload: unknown, headers?: Record<string, string>) => ({
  payload,
  headers,
  eventName: 'order',
  accountId: 'ada',
  configId: 'ada',
  workflowId: 'w',
});

describe('trigger conditions', () => {
  const passes = (conditions: unknown, payload: unknown, headers?: Record<string, string>) =>
    passesConditions(readTriggerGuard(documentOf({ conditions })), arrival(payload, headers));
  const total = { variable: '{{event.total}}', operator: 'gte', value: '100' };

  test('no conditions let everything through, whatever it is', () => {
    for (const none of [undefined, null, [], { match: 'any', conditions: [] }]) {
      assert.equal(passes(none, null), true);
    }
  });

  test('all of a list must hold; of {match: any} one is enough', () => {
    const paid = { variable: '{{start.body.state}}', operator: 'eq', value: 'paid' };
    assert.equal(passes([total, paid], { total: 120, state: 'paid' }), true);
    assert.equal(passes([total, paid], { total: 120, state: 'open' }), false);
    assert.equal(passes({ match: 'any', conditions: [total, paid] }, { total: 1, state: 'paid' }), true);
  });

  test('a field that is missing is missing, not an error', () => {
    assert.equal(passes([total], {}), false);
    assert.equal(passes([{ variable: '{{event.a.b}}', operator: 'not_exist' }], { a: 'text' }), true);
    assert.equal(passes([total], 'no object at all'), false);
  });

  test('headers, account and config may be asked for', () => {
    const header = { variable: '{{event.headers.x-topic}}', operator: 'eq', value: 'orders' };
    assert.equal(passes([header], {}, { 'x-topic': 'orders' }), true);
    assert.equal(passes([{ variable: '{{linked_account.id}}', operator: 'eq', value: 'ada' }], {}), true);
    assert.equal(
      passes([{ variable: '{{instance_meta_data.config_id}}', operator: 'eq', value: 'other' }], {}),
      false,
    );
  });
});

describe('idempotency keys', () => {
  const keyOf = (idempotency: object, payload: unknown, headers?: Record<string, string>) =>
    dedupKeyOf(readTriggerGuard(documentOf({ idempotency })).dedup, arrival(payload, headers));

  test('come from the payload, from a header, or from both', () => {
    assert.deepEqual(keyOf({ key: '{event:order.id}' }, { order: { id: 7 } }), { key: '7', windowS: 300 });
    const both = { key: '{header:X-Id}/{event:lines[0].sku}', window_seconds: 60 };
    assert.deepEqual(keyOf(both, { lines: [{ sku: 'A' }] }, { 'x-id': '9' }), { key: '9/A', windowS: 60 });
    assert.deepEqual(keyOf({ source: 'header', name: 'X-Id', window_minutes: 2 }, {}, { 'x-id': '9' }), {
      key: '9',
      windowS: 120,
    });
    assert.deepEqual(keyOf({ key: '{{event.id}}' }, { id: 'x' }), { key: 'x', windowS: 300 });
  });

  test('a missing, null or empty part names itself, and there is no key', () => {
    for (const payload of [{}, { id: null }, { id: '' }, 'text', null]) {
      assert.deepEqual(keyOf({ key: '{event:id}' }, payload), { missing: '{event:id}', windowS: 300 });
    }
  });

  test('a name of Object.prototype is no value', () => {
    assert.deepEqual(keyOf({ key: '{event:constructor.name}' }, {}), {
      missing: '{event:constructor.name}',
      windowS: 300,
    });
  });

  test('a long key is kept by its digest, and two long keys differ', () => {
    const [a, b] = ['a', 'b'].map((end) => keyOf({ key: '{event:id}' }, { id: 'x'.repeat(500) + end }));
    assert.ok(a !== undefined && 'key' in a && a.key.length === 64);
    assert.notDeepEqual(a, b);
  });

  test('switched off, there is none', () => {
    assert.equal(keyOf({ enabled: false, key: '{event:id}' }, { id: 1 }), undefined);
  });
});

test('what cannot work is refused when it is saved, each with its field', () => {
  const problems = guardProblems(
    documentOf(
      { conditions: [{ variable: '{{event.a}}', operator: 'is' }], idempotency: { key: 'order' } },
      { dedup_key: 'always the same' },
    ),
  );
  assert.deepEqual(
    problems.map(({ path }) => path),
    [
      'nodes[0].data.trigger.conditions[0].operator',
      'nodes[0].data.trigger.idempotency',
      'settings.dedup_key',
    ],
  );
  assert.match(problems[1]?.message ?? '', /everything would be a repeat/);
  assert.deepEqual(guardProblems(documentOf({ conditions: 'total > 3' })).length, 1);
});
