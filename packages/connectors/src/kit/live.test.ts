import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Webhook as Reference } from 'standardwebhooks';
import { parseJson } from '#kit/json';
import {
  actionSchema,
  describe as describeConnector,
  loadOptions,
  pollTrigger,
  verifyWebhook,
} from '#kit/live';
import { refuseStandardWebhook } from '#kit/signature';
import { answering, exampleCall, toy } from '#kit/toy-connector';
import { webhookRequest } from '#kit/trigger';

describe('live lists', () => {
  test('are sorted as people read them', async () => {
    const http = answering([
      { id: 10, title: 'Room 10' },
      { id: 2, title: 'Room 2' },
    ]);
    assert.deepEqual(await loadOptions(toy(), 'spaces', {}, http), [
      { name: 'Room 2', value: '2' },
      { name: 'Room 10', value: '10' },
    ]);
  });

  test('wait for their parents', async () => {
    await assert.rejects(loadOptions(toy(), 'rooms', {}, answering()), { parameter: 'space' });
    await assert.rejects(loadOptions(toy(), 'constructor', {}, answering()), { code: 'unknown_options' });
    const http = answering([{ id: 'a' }]);
    await loadOptions(toy(), 'rooms', { space: 0 }, http);
    assert.deepEqual(http.sent[0]?.query, { space: '0' });
  });

  test('that the provider refuses are an error, not an empty list', async () => {
    await assert.rejects(loadOptions(toy(), 'spaces', {}, answering({ status: 403 })), {
      name: 'ProviderError',
    });
  });
});

describe('polls', () => {
  const span = { since: '2026-03-01T12:00:00Z', until: '2026-03-01T12:05:00Z' };

  test('ask further back by the overlap and move the cursor to the end', async () => {
    const http = answering([
      { id: 'b', at: '2026-03-01T12:04:00+00:00' },
      { id: 'a', at: '2026-03-01T11:30:00Z' },
      { id: 'b', at: '2026-03-01T12:04:00Z' },
    ]);
    const result = await pollTrigger(toy(), 'rowChanged', span, http);
    assert.deepEqual(http.sent[0]?.query, {
      since: '2026-03-01T11:00:00.000Z',
      until: '2026-03-01T12:05:00.000Z',
    });
    assert.deepEqual(
      result.items.map(({ id, at }) => [id, at]),
      [
        ['a', '2026-03-01T11:30:00.000Z'],
        ['b', '2026-03-01T12:04:00.000Z'],
      ],
    );
    assert.equal(result.cursor, '2026-03-01T12:05:00.000Z');
  });

  test('keep the cursor when there was more than could be read', async () => {
    const many = Array.from({ length: 10_001 }, (_, i) => ({ id: String(i), at: '2026-03-01T12:00:00Z' }));
    const result = await pollTrigger(toy(), 'rowChanged', span, answering(many));
    assert.deepEqual([result.isTruncated, result.cursor], [true, '2026-03-01T12:00:00.000Z']);
  });
});

describe('webhooks', () => {
  const { request, secrets, now } = exampleCall();

  test('that are genuine yield their events', () => {
    const verdict = verifyWebhook(toy(), 'rowHook', request, secrets, now);
    assert.deepEqual(verdict, { ok: true, events: [{ id: 'e1', data: { id: 'e1', row: { id: '1' } } }] });
  });

  test('that cannot be read are refused, not thrown', () => {
    const broken = toy().triggers['rowHook'];
    assert.ok(broken?.kind === 'webhook');
    const accepting = toy({ triggers: { rowHook: { ...broken, verify: () => undefined } } });
    const noJson = webhookRequest({ ...request, rawBody: '<xml/>' });
    assert.equal(verifyWebhook(accepting, 'rowHook', noJson, secrets, now).ok, false);
  });

  test('agree with the reference library of Standard Webhooks', () => {
    const secret = `whsec_${Buffer.from('twenty-four bytes of key').toString('base64')}`;
    const at = new Date();
    const rawBody = '{"ü":"€"}';
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': `v1,AAAA v1a,xyz ${new Reference(secret).sign('msg_1', at, rawBody)}`,
    };
    const call = webhookRequest({ method: 'POST', url: 'https://x.example', headers, rawBody });
    assert.equal(refuseStandardWebhook(call, secret, at), undefined);
    assert.match(refuseStandardWebhook(call, 'whsec_b3RoZXI=', at) ?? '', /No signature/);
    assert.match(refuseStandardWebhook(call, secret, new Date(at.getTime() + 400_000)) ?? '', /five minutes/);
    assert.match(refuseStandardWebhook(call, secret, new Date(at.getTime() - 400_000)) ?? '', /five minutes/);
  });
});

test('a schema says which list a field offers and on what it depends', () => {
  assert.deepEqual(actionSchema(toy(), 'listRows'), [
    { name: 'space', type: 'select', label: 'Space', required: true, optionsName: 'spaces', dependsOn: [] },
    {
      name: 'room',
      type: 'select',
      label: 'Room',
      required: false,
      optionsName: 'rooms',
      dependsOn: ['space'],
    },
    {
      name: 'limit',
      type: 'number',
      label: 'Limit',
      required: false,
      help: 'Stop after this many rows; at most 10000.',
      default: 1000,
    },
  ]);
});

test('a description is plain data', () => {
  const description = describeConnector(toy());
  assert.deepEqual(JSON.parse(JSON.stringify(description)), description);
  assert.deepEqual(
    description.actions.map(({ id, effect }) => [id, effect]),
    [
      ['listRows', 'read'],
      ['addRow', 'repeatable'],
      ['copyRow', 'once'],
      ['httprequest', 'once'],
      ['incrementalsync', 'read'],
    ],
  );
});

test('ids too long for a number survive parsing', () => {
  assert.deepEqual(
    parseJson('{"id":6843152929075440123,"n":12,"f":1234567890123456.5,"s":"6843152929075440123"}'),
    {
      id: '6843152929075440123',
      n: 12,
      f: 1234567890123456.5,
      s: '6843152929075440123',
    },
  );
});
