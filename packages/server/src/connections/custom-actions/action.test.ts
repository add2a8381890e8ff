import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAction } from '@inlay/connectors/kit';
import { customAction, type CustomActionTools } from '#connections/custom-actions/action';
import { inputProblem } from '#connections/input-problem';
import { ownConnector } from '#connections/own-api/connector';
import { AppError } from '#domain/errors';
import { PagesTooLarge } from '#domain/paging';

const connector = ownConnector('https://api.example');
const tools: CustomActionTools = {
  runScript: () => Promise.reject(new Error('there is no script')),
  save: () => Promise.reject(new Error('nothing is kept')),
};

function readAll(pagination: object): Promise<unknown> {
  let page = 0;
  const at = new Date(0);
  const all = customAction(
    {
      id: '1',
      app_slug: 'custom',
      action_id: 'all',
      name: 'All',
      description: '',
      definition: { method: 'GET', path: '/things', pagination },
      tls_sealed: null,
      created_at: at,
      updated_at: at,
    },
    tools,
  );
  const port = {
    send: () => Promise.resolve({ status: 200, headers: {}, body: { rows: [(page += 1)] } }),
  };
  return runAction({ ...connector, actions: { all } }, 'all', {}, port, { now: at });
}

test('a part of the pages is not taken for the whole, unless so many were asked for', async () => {
  await assert.rejects(readAll({ type: 'page' }), /There may be more than 1000 pages/);
  assert.deepEqual(await readAll({ type: 'page', max_pages: 2 }), {
    ok: true,
    status: 200,
    data: { rows: [1, 2] },
    isTruncated: false,
  });
});

test('pages that do not fit into memory are told as what they are, of whatever app', () => {
  const told = inputProblem(new PagesTooLarge(3), connector);
  assert.ok(told instanceof AppError && told.code === 'wrong_state' && /64 MiB/.test(told.message));
});
