import assert from 'node:assert/strict';
import { test } from 'node:test';
import { http } from '#engine/nodes/http';

test('the log of a request shows neither keys in its headers nor keys in its query', () => {
  const given = http.settings.parse({
    url: 'https://api.example/v1/things?api_key=in-the-url&page=2',
    query: { access_token: 'in-the-query' },
    headers: { Authorization: 'Bearer in-a-header', 'X-Acme-Key': 'in-a-header', accept: 'text/csv' },
  });
  const logged = JSON.stringify(http.logged?.(given));
  assert.doesNotMatch(logged, /in-the-url|in-the-query|in-a-header/);
  assert.match(logged, /page=2/);
  assert.match(logged, /text\/csv/);
});
