import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { firstPage, mergedBody, nextPage, pagination, type PageRequest } from '#domain/paging';

const now = new Date('2026-03-04T00:00:00Z');

/** The requests that a provider gets which answers these bodies, one after the other. */
function requests(
  settings: object,
  bodies: readonly unknown[],
  headers: Record<string, string> = {},
): PageRequest[] {
  const given = pagination.parse(settings);
  const asked: PageRequest[] = [];
  let page = firstPage(given, now);
  let records = 0;
  for (let index = 0; page !== undefined && index < bodies.length; index += 1) {
    asked.push(page);
    const body = bodies[index];
    records += Array.isArray(body) ? body.length : 0;
    page = nextPage(given, index, { status: 200, headers, body }, records, now);
  }
  return page === undefined ? asked : [...asked, { values: { more: 'yes' } }];
}
const values = (asked: readonly PageRequest[]) => asked.map((page) => page.values);

describe('page', () => {
  test('counts up until a page is empty', () => {
    const asked = requests({ type: 'page', size_key: 'per_page', size: '2' }, [[1, 2], [3], []]);
    assert.deepEqual(values(asked), [
      { page: '1', per_page: '2' },
      { page: '2', per_page: '2' },
      { page: '3', per_page: '2' },
    ]);
  });
  test('ends at the end page, and at the total of pages that the answer names', () => {
    assert.equal(requests({ type: 'page', start: 3, end: 4 }, [[1], [1], [1]]).length, 2);
    const body = { meta: { pages: '2' }, items: [1] };
    assert.equal(requests({ type: 'page', total_pages_path: 'meta.pages' }, [body, body, body]).length, 2);
    assert.equal(
      requests({ type: 'page', start: 0, total_pages_path: 'meta.pages' }, [body, body, body]).length,
      2,
    );
  });
  test('records may stand deeper', () => {
    const asked = requests({ type: 'page', records_path: 'data.rows' }, [
      { data: { rows: [1] } },
      { data: { rows: [] } },
    ]);
    assert.equal(asked.length, 2);
  });
  test('never asks for more than the limit of pages', () => {
    assert.equal(requests({ type: 'page', max_pages: 2 }, [[1], [1], [1]]).length, 2);
  });
});

test('offset counts by its limit, to the total where one is named', () => {
  const body = { total: 250, rows: [1] };
  const asked = requests({ type: 'offset', total_path: 'total' }, [body, body, body, body]);
  assert.deepEqual(values(asked), [
    { offset: '0', limit: '100' },
    { offset: '100', limit: '100' },
    { offset: '200', limit: '100' },
  ]);
});

describe('cursor', () => {
  test('goes on while the answer names a next one', () => {
    const asked = requests({ type: 'cursor', cursor_path: 'body.next', cursor_key: 'after' }, [
      { next: 'a' },
      { next: 7 },
      { next: null },
    ]);
    assert.deepEqual(values(asked), [{}, { after: 'a' }, { after: '7' }]);
  });
  test('a cursor that is an address is the next request, also from a Link header', () => {
    const asked = requests({ type: 'cursor', cursor_path: 'next' }, [{ next: 'https://x.example/p2' }, {}]);
    assert.deepEqual(asked[1], { values: {}, url: 'https://x.example/p2' });
    const link = { link: '<https://x.example/p1>; rel="prev", <https://x.example/p3>; rel="next"' };
    assert.deepEqual(requests({ type: 'cursor', cursor_path: 'headers.link' }, [{}], link)[0]?.values, {});
    const given = pagination.parse({ type: 'cursor', cursor_path: 'headers.link' });
    assert.equal(
      nextPage(given, 0, { status: 200, headers: link, body: {} }, 0, now)?.url,
      'https://x.example/p3',
    );
  });
});

test('a time range is cut into windows that chain, in the format asked for', () => {
  const range = { type: 'time range', from: '2026-03-01T12:00:00Z' };
  assert.deepEqual(values(requests(range, [[], [], [], []])), [
    { from: '2026-03-01T12:00:00.000Z', to: '2026-03-02T12:00:00.000Z' },
    { from: '2026-03-02T12:00:00.000Z', to: '2026-03-03T12:00:00.000Z' },
    { from: '2026-03-03T12:00:00.000Z', to: '2026-03-04T00:00:00.000Z' },
  ]);
  const unix = requests({ ...range, to: 1_772_400_000, time_format: 'unix', window_s: 1e8 }, [[]]);
  assert.deepEqual(values(unix), [{ from: '1772366400', to: '1772400000' }]);
});

test('SQL-like pages end at a short one or at the most records', () => {
  const settings = { type: 'sql', query: 'SELECT Id FROM Lead', order: 'Id', batch_size: 2 };
  assert.deepEqual(values(requests(settings, [[1, 2], [3]])), [
    { q: 'SELECT Id FROM Lead ORDER BY Id LIMIT 2 OFFSET 0' },
    { q: 'SELECT Id FROM Lead ORDER BY Id LIMIT 2 OFFSET 2' },
  ]);
  const limited = values(requests({ ...settings, max_records: 3 }, [[1, 2], [3], [4]]));
  assert.deepEqual(limited.at(-1), { q: 'SELECT Id FROM Lead ORDER BY Id LIMIT 1 OFFSET 2' });
  assert.equal(limited.length, 2);
});

test('custom pages take any values of the answer, while it says that there are more', () => {
  const settings = { type: 'custom', next: { since: 'last.id', shard: 'shard' }, has_more_path: 'more' };
  const asked = requests(settings, [
    { last: { id: 9 }, shard: 'b', more: true },
    { last: { id: 10 }, more: 'false' },
  ]);
  assert.deepEqual(values(asked), [{}, { since: '9', shard: 'b' }]);
});

test('pages are merged into one answer of the same shape', () => {
  assert.deepEqual(mergedBody([[1], [2, 3]]), [1, 2, 3]);
  assert.deepEqual(
    mergedBody([
      { rows: [1], meta: { n: 1, tags: ['a'] }, next: 'x' },
      { rows: [2], meta: { n: 2, tags: ['b'] }, next: null },
    ]),
    {
      rows: [1, 2],
      meta: { n: 2, tags: ['a', 'b'] },
      next: null,
    },
  );
  assert.equal(mergedBody(['a', 'b']), 'b');
  assert.equal(mergedBody([]), undefined);
});

test('settings that make no sense are refused, each naming its field', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ type: 'scroll' }, /type.*page, offset, cursor/],
    [{ type: 'cursor' }, /cursor_path/],
    [{ type: 'time_range', from: 'soon' }, /from/],
    [{ type: 'time_range', from: '2026-01-01', to: 'later' }, /to/],
    [{ type: 'sql' }, /query/],
    [{ type: 'custom' }, /next/],
    [{ type: 'page', max_pages: 100_000 }, /max_pages/],
    [{ type: 'page', inject: 'cookie' }, /inject/],
    [{ type: 'offset', limit: 0 }, /limit/],
  ];
  for (const [settings, message] of cases) {
    const checked = pagination.safeParse(settings);
    assert.match(JSON.stringify(checked.error?.issues ?? []), message, JSON.stringify(settings));
  }
});
