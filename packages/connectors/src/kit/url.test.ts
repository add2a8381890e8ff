import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { requestUrl } from '#kit/connector';
import { get } from '#kit/request';
import { toy } from '#kit/toy-connector';
import { isHostAllowed, urlOf } from '#kit/url';

const place = (meta: Record<string, string> = {}, vars: Record<string, string> = {}) => ({ meta, vars });

describe('URL templates', () => {
  const shop = 'https://{shop}.shops.example/admin/{area}';

  test('take host labels in the host and encode the path', () => {
    assert.equal(
      urlOf(shop, place({ shop: 'my-shop', area: 'a/b?c' })),
      'https://my-shop.shops.example/admin/a%2Fb%3Fc',
    );
  });

  for (const evil of [
    'evil.example/#',
    'evil.example?',
    'a@evil.example',
    'evil.example\\',
    'x:80',
    '-',
    '.',
    '',
  ]) {
    test(`refuse "${evil}" where a host label belongs`, () => {
      assert.throws(() => urlOf(shop, place({ shop: evil, area: 'x' })), {
        name: 'InputError',
        parameter: 'shop',
      });
    });
  }

  test('take a whole address at the start, from meta before vars', () => {
    const api = '{base}/api';
    assert.equal(urlOf(api, place({}, { base: 'http://127.0.0.1:4400/' })), 'http://127.0.0.1:4400/api');
    assert.equal(
      urlOf(api, place({ base: 'https://a.example' }, { base: 'https://b.example' })),
      'https://a.example/api',
    );
  });

  for (const evil of ['javascript:alert(1)//', 'file:///etc', 'https://user:pw@a.example', 'nonsense']) {
    test(`refuse "${evil}" as an address`, () => {
      assert.throws(() => urlOf('{base}/api', place({ base: evil })), { code: 'unsafe_url' });
    });
  }

  test('name the variable that has no value', () => {
    assert.throws(() => urlOf('{base}', place()), { code: 'missing_variable', parameter: 'base' });
    assert.throws(() => urlOf('{toString}', place()), { code: 'missing_variable' });
  });
});

test('host patterns fit whole labels and their port', () => {
  const patterns = ['api.a.example', '*.b.example', '127.0.0.1:4400'];
  const fits = (url: string) => isHostAllowed(new URL(url), patterns);
  assert.deepEqual(['https://api.a.example/x', 'https://x.y.b.example', 'http://127.0.0.1:4400'].map(fits), [
    true,
    true,
    true,
  ]);
  assert.deepEqual(
    [
      'https://b.example',
      'https://evilb.example',
      'https://x.b.example.evil.example',
      'https://api.a.example:8443',
      'http://127.0.0.1',
    ].map(fits),
    [false, false, false, false, false],
  );
});

describe('request URLs', () => {
  const open = toy({ hosts: ['api.toy.example', '*.files.example'] });
  const to = (path: string, query = {}) => requestUrl(open, get(path, query), place()).href;

  test('hang on the base URL, with repeated query values', () => {
    assert.equal(to('/v1/x', { a: [1, 2], b: 'é&' }), 'https://api.toy.example/v1/x?a=1&a=2&b=%C3%A9%26');
    assert.equal(to('v1'), 'https://api.toy.example/v1');
  });

  test('may be absolute on an allowed host', () => {
    assert.equal(to('https://eu.files.example/f?x=1', { y: 2 }), 'https://eu.files.example/f?x=1&y=2');
  });

  for (const evil of [
    'https://evil.example/x',
    'http://api.toy.example/x',
    'https://api.toy.example@evil.example/x',
    'https://u:p@api.toy.example/x',
    'https://api.toy.example:444/x',
  ]) {
    test(`never leave for ${evil}`, () => assert.throws(() => to(evil), { code: 'unsafe_url' }));
  }

  test('stay on the host whatever a relative path says', () => {
    for (const path of ['//evil.example/x', '/\\evil.example', '@evil.example', '/../../x']) {
      assert.equal(new URL(to(path)).host, 'api.toy.example');
    }
  });
});
