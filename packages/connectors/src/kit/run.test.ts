import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { action } from '#kit/action';
import { field } from '#kit/field';
import type { Pages } from '#kit/paging';
import { get } from '#kit/request';
import { effectOf, findAction, runAction } from '#kit/run';
import { type Answer, answering, toy, toyActions } from '#kit/toy-connector';

const page = (data: unknown[], next?: string) => ({ body: { data, ...(next !== undefined && { next }) } });

describe('lists', () => {
  test('follow the cursor until it ends', async () => {
    const http = answering(page([1, 2], 'c1'), page([3], 'c2'), page([4]));
    const result = await runAction(toy(), 'listRows', { space: 's' }, http);
    assert.deepEqual(result, { ok: true, status: 200, data: [1, 2, 3, 4], isTruncated: false });
    assert.deepEqual(
      http.sent.map((request) => request.query),
      [{ space: 's' }, { space: 's', cursor: 'c1' }, { space: 's', cursor: 'c2' }],
    );
  });

  test('stop at the limit and say so', async () => {
    const http = answering(page([1, 2], 'c1'), page([3, 4], 'c2'));
    const result = await runAction(toy(), 'listRows', { space: 's', limit: '3' }, http);
    assert.deepEqual(result, { ok: true, status: 200, data: [1, 2, 3], isTruncated: true });
    assert.equal(http.sent.length, 2);
  });

  test('that end exactly at the limit are whole', async () => {
    const result = await runAction(toy(), 'listRows', { space: 's', limit: 2 }, answering(page([1, 2])));
    assert.equal(result.ok && result.isTruncated, false);
  });

  test('end when a provider repeats its last cursor', async () => {
    const http = answering(page([1], 'c1'), page([2], 'c1'));
    const result = await runAction(toy(), 'listRows', { space: 's' }, http);
    assert.deepEqual(result.ok && result.data, [1, 2]);
  });

  test('are empty where the provider says so with an error status', async () => {
    const result = await runAction(toy(), 'listRows', { space: 's' }, answering({ status: 404, body: {} }));
    assert.deepEqual(result, { ok: true, status: 200, data: [], isTruncated: false });
  });

  const kinds: readonly [string, Pages, readonly Answer[], unknown[]][] = [
    [
      'page numbers',
      { page: 'page', size: 2, sizeAs: 'per' },
      [[1, 2], [3]],
      [
        { page: '1', per: '2' },
        { page: '2', per: '2' },
      ],
    ],
    ['offsets', { offset: 'skip', size: 1 }, [[1], []], [{ skip: '0' }, { skip: '1' }]],
    [
      'Link headers',
      { link: 'next' },
      [
        {
          headers: { link: '</rows?p=0>; rel="prev", <https://api.toy.example/rows?p=2>; rel="next"' },
          body: { data: [1] },
        },
        { body: { data: [2] } },
      ],
      [undefined, undefined],
    ],
    [
      'next URLs',
      { nextUrl: 'paging.next' },
      [{ body: { data: [1], paging: { next: 'https://api.toy.example/rows?p=2' } } }, [2]],
      [undefined, undefined],
    ],
  ];
  for (const [name, pages, answers, queries] of kinds) {
    test(`follow ${name}`, async () => {
      const list = action({
        label: 'L',
        group: 'G',
        help: 'H.',
        effect: 'read',
        request: () => get('/rows'),
        items: 'data',
        pages,
      });
      const http = answering(...answers);
      await runAction(toy({ actions: { list } }), 'list', {}, http);
      assert.deepEqual(
        http.sent.map((request) => request.query),
        queries,
      );
      if (queries[1] === undefined) assert.equal(http.sent[1]?.path, 'https://api.toy.example/rows?p=2');
    });
  }
});

describe('refusals', () => {
  test('are returned with status, body and the wait the provider asks for', async () => {
    const http = answering({ status: 429, headers: { 'retry-after': '7' }, body: { error: 'slow down' } });
    const result = await runAction(toy(), 'addRow', { name: 'n' }, http);
    assert.equal(result.ok, false);
    assert.ok(!result.ok);
    assert.equal(result.error.status, 429);
    assert.equal(result.error.retryAfterMs, 7_000);
    assert.deepEqual(result.error.body, { error: 'slow down' });
    assert.doesNotMatch(result.error.message, /slow down/);
  });

  test('hidden in a success status are seen where the connector says how', async () => {
    const app = toy({
      http: { limits: {}, failed: (_status, body) => !(body as { ok: boolean }).ok },
    });
    const result = await runAction(app, 'addRow', { name: 'n' }, answering({ body: { ok: false } }));
    assert.equal(result.ok, false);
  });

  test('of 401 are never an empty list', async () => {
    const result = await runAction(toy(), 'listRows', { space: 's' }, answering({ status: 401, body: {} }));
    assert.equal(result.ok, false);
  });

  test('by silence are thrown on, because nobody knows what happened', async () => {
    await assert.rejects(runAction(toy(), 'addRow', { name: 'n' }, answering()), /no answer/);
  });
});

describe('effects', () => {
  test('a repeatable action without a key may not be resent', () => {
    assert.equal(effectOf(toyActions.addRow, {}, undefined), 'once');
    assert.equal(effectOf(toyActions.addRow, {}, 'k'), 'repeatable');
  });

  test('the key travels in the header the provider names', async () => {
    const http = answering({ status: 201, body: { id: 1 } });
    await runAction(toy(), 'addRow', { name: 'n' }, http, { idempotencyKey: 'k1' });
    assert.deepEqual(http.sent[0]?.headers, { 'idempotency-key': 'k1' });
    assert.equal(http.sent[0]?.effect, 'repeatable');
  });

  test('every write of one action has a key of its own, and reads have none', async () => {
    const http = answering({ body: { id: 1 } }, {}, {});
    await runAction(toy(), 'copyRow', { id: '1' }, http, { idempotencyKey: 'k1' });
    assert.deepEqual(
      http.sent.map((request) => [request.effect, request.headers?.['idempotency-key']]),
      [
        ['read', undefined],
        ['repeatable', 'k1'],
        ['repeatable', 'k1:2'],
      ],
    );
  });

  test('HTTP Request is as careful as its method demands', async () => {
    const http = answering({}, {});
    await runAction(toy(), 'httprequest', { path: '/x' }, http);
    await runAction(toy(), 'httprequest', { path: '/x', method: 'DELETE' }, http);
    assert.deepEqual(
      http.sent.map((request) => request.effect),
      ['read', 'once'],
    );
  });
});

describe('input', () => {
  test('that is missing names the parameter, and nothing is sent', async () => {
    const http = answering();
    await assert.rejects(runAction(toy(), 'addRow', { name: '  ' }, http), {
      name: 'MissingParameter',
      parameter: 'name',
      message: "Required parameter 'name' is missing",
    });
    assert.equal(http.sent.length, 0);
  });

  test('an unknown action is named with its app', () => {
    assert.throws(() => findAction(toy(), 'toString'), /Action toString not found in Application toy/);
  });

  test('an id cannot climb out of its path', async () => {
    const http = answering({}, {}, {});
    await runAction(toy(), 'copyRow', { id: '../users?x=1' }, http);
    assert.equal(http.sent[0]?.path, '/rows/..%2Fusers%3Fx%3D1');
    await assert.rejects(runAction(toy(), 'copyRow', { id: '..' }, answering()), {
      code: 'invalid_parameter',
    });
  });
});

describe('HTTP Request', () => {
  const send = async (input: Record<string, unknown>) => {
    const http = answering({ body: { ok: true } });
    await runAction(toy(), 'httprequest', input, http);
    const [request] = http.sent;
    assert.ok(request);
    const { effect: _effect, ...sent } = request;
    return sent;
  };

  test('sends JSON, form or text', async () => {
    const given = { method: 'POST', path: '/x', body: '{"a":1}' };
    assert.deepEqual(await send(given), {
      method: 'POST',
      path: '/x',
      body: { kind: 'json', value: { a: 1 } },
    });
    assert.deepEqual((await send({ ...given, bodyType: 'form' })).body, { kind: 'form', value: { a: '1' } });
    assert.deepEqual((await send({ ...given, body: '<a/>', bodyType: 'text' })).body, {
      kind: 'text',
      value: '<a/>',
      contentType: 'text/plain',
    });
  });

  test('refuses headers that would replace the credential', async () => {
    for (const name of ['Authorization', 'cookie', 'Host']) {
      await assert.rejects(send({ path: '/x', headers: { [name]: 'x' } }), { name: 'InvalidParameter' });
    }
  });
});

describe('Incremental Sync', () => {
  const now = new Date('2026-03-01T12:00:00.000Z');

  for (const [format, from] of [
    ['iso', '2026-03-01T00:00:00.000Z'],
    ['unix', '1772323200'],
    ['unix_ms', '1772323200000'],
    ['rfc', 'Sun, 01 Mar 2026 00:00:00 GMT'],
  ] as const) {
    test(`renders the window as ${format}`, async () => {
      const http = answering([1]);
      const input = {
        path: '/rows',
        query: { since: '>[[from]]' },
        format,
        items: 'data',
        from: '2026-03-01',
      };
      const result = await runAction(toy(), 'incrementalsync', input, http, { now });
      assert.equal(http.sent[0]?.query?.['since'], `>${from}`);
      assert.deepEqual(result.ok && result.data, {
        from: '2026-03-01T00:00:00.000Z',
        to: now.toISOString(),
        data: [1],
      });
    });
  }

  test('encodes the time inside a path', async () => {
    const http = answering({ body: [] });
    await runAction(toy(), 'incrementalsync', { path: '/rows?until=[[to]]', format: 'rfc' }, http, { now });
    assert.equal(http.sent[0]?.path, '/rows?until=Sun%2C%2001%20Mar%202026%2012%3A00%3A00%20GMT');
  });
});

test('an action may leave out input altogether', async () => {
  const ping = action({ label: 'P', group: 'G', help: 'H.', effect: 'read', request: () => get('/ping') });
  const named = action({
    label: 'P',
    group: 'G',
    help: 'H.',
    effect: 'read',
    input: { name: field.text({ label: 'N', required: false }) },
    request: (p) => get('/ping', { name: p.name }),
  });
  const http = answering({}, {});
  await runAction(toy({ actions: { ping, named } }), 'ping', {}, http);
  await runAction(toy({ actions: { ping, named } }), 'named', {}, http);
  assert.deepEqual(http.sent[1], { method: 'GET', path: '/ping', effect: 'read' });
});
