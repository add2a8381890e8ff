/**
 * The real program, killed in the middle of one workflow of every node that shapes a walk: a loop with a try block, a
 * switch, a merge, a delay and a sub-flow in it, beside a wait for a webhook. What had ended before the kill does not
 * happen again, what waited goes on waiting, and the results are as if nothing had been.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type RunningInlay, startInlay, until } from './inlay.ts';

const node = (id: string, node_type: string, data: object = {}, parent_id?: string) => ({
  id,
  node_type,
  name: `${node_type} ${id}`,
  data,
  ...(parent_id !== undefined && { parent_id }),
});
const edge = (source: string, target: string, source_handle?: string) => ({
  source,
  target,
  ...(source_handle !== undefined && { source_handle }),
});
const start = node('1', 'start', { trigger: { kind: 'api_call' } });

const child = {
  name: 'Ship one item',
  nodes: [
    start,
    node('2', 'delay', { action: 'wait_for', seconds: 1 }),
    node('3', 'http', { method: 'GET', url: '{{event.provider}}/ship/{{event.item}}' }),
    node('4', 'response', { data: 'shipped {{event.item}}' }),
  ],
  edges: [edge('1', '2'), edge('2', '3'), edge('3', '4')],
};

const parent = (childId: string) => ({
  name: 'Ship an order',
  nodes: [
    start,
    node('2', 'http', {
      method: 'GET',
      url: '{{event.provider}}/announce',
      query: { resume: '{{node.3.resume_url}}' },
    }),
    node('3', 'wait_for_webhook'),
    node('4', 'loop', {
      mode: 'array',
      fanout_array: '{{event.items}}',
      concurrent_batches: 3,
      output_data: {
        checked: '{{node.5.body.try_catch_result}}',
        label: '{{node.11.body}}',
        child: '{{node.13.body.return_value}}',
      },
    }),
    node('5', 'try_catch', {}, '4'),
    node('6', 'http', { method: 'GET', url: '{{event.provider}}/check/{{array_item.name}}' }, '5'),
    node('7', 'log', { level: 'WARNING', title: '{{error_message.message}}' }, '5'),
    node(
      '8',
      'switch',
      {
        evaluator_type: 'value',
        parameters: { kind: '{{array_item.kind}}' },
        cases: [{ case_value: 'fragile', case_satisfied_nodes: ['9'] }],
        default_nodes: ['10'],
      },
      '4',
    ),
    node('9', 'transform', { input: { n: '{{loop.iteration_number}}' }, query: '"careful " & n' }, '4'),
    node('10', 'transform', { input: { n: '{{loop.iteration_number}}' }, query: '"plain " & n' }, '4'),
    node('11', 'merge', {}, '4'),
    node('12', 'delay', { action: 'wait_for', seconds: 1 }, '4'),
    node(
      '13',
      'sub_flow',
      {
        workflow: childId,
        payload: { provider: '{{event.provider}}', item: '{{array_item.name}}' },
        wait_for_completion: true,
      },
      '4',
    ),
    node('14', 'merge'),
    node('15', 'response', { data: { items: '{{node.4.body}}', signed: '{{node.3.body.body.by}}' } }),
  ],
  edges: [
    edge('1', '2'),
    edge('2', '3'),
    edge('2', '4'),
    edge('4', '5', 'body'),
    edge('5', '6', 'try'),
    edge('5', '7', 'catch'),
    edge('5', '8'),
    edge('8', '9'),
    edge('8', '10'),
    edge('9', '11'),
    edge('10', '11'),
    edge('11', '12'),
    edge('12', '13'),
    edge('3', '14'),
    edge('4', '14'),
    edge('14', '15'),
  ],
});

const items = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => ({
  name,
  kind: index % 2 === 0 ? 'fragile' : 'box',
}));
const refused = new Set(['b', 'e']);

test('a workflow of loop, try block, switch, merge, delay, sub-flow and webhook outlives a kill -9 of the program', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'inlay-nodes-'));
  await chmod(dataDir, 0o755);
  const provider = await openProvider();
  const same = { dataDir, env: { INLAY_EGRESS_ALLOW: '127.0.0.1/32' } };
  let inlay: RunningInlay | undefined;
  try {
    inlay = await startInlay(same);
    const account = inlay.demo.linkedAccountId;
    const workflow = await publish(inlay, account, parent(await publish(inlay, account, child)));
    const begun = await inlay.call('POST', `/api/v2/public/workflow/${workflow}/execute`, {
      linkedAccountId: account,
      body: { provider: provider.url, items },
    });
    assert.equal(begun.status, 200, JSON.stringify(begun.body));
    const route = `/api/v2/public/execution/${begun.body.execution_id}`;
    const execution = async () => (await inlay!.call('GET', route, { linkedAccountId: account })).body;

    // The first three iterations have ended, the calls of the other three are under way.
    await until(() => provider.held() === 3, { what: 'the second half of the loop' });
    const ended = once(inlay.child, 'exit');
    inlay.child.kill('SIGKILL');
    await ended;
    assert.deepEqual(provider.calls('ship').toSorted(), ['a', 'b', 'c']);
    provider.release();

    inlay = await startInlay(same);
    await until(async () => nodeOf(await execution(), '4')?.node_status === 'Success', { what: 'the loop' });
    const waiting = await execution();
    assert.equal(waiting.status, 'RUNNING');
    assert.equal(waiting.waiting_on, 'webhook');
    const resumed = await inlay.call('POST', new URL(provider.resumeUrl()).pathname, { body: { by: 'Ann' } });
    assert.equal(resumed.status, 200, JSON.stringify(resumed.body));
    await until(async () => !['RUNNING', 'QUEUED'].includes((await execution()).status), { what: 'the end' });

    const after = await execution();
    assert.equal(after.status, 'COMPLETED', JSON.stringify(after.error));
    const answer = await inlay.call('GET', `/api/v1/execution/${begun.body.execution_id}/response`, {
      linkedAccountId: account,
    });
    assert.deepEqual(answer.body.response, {
      items: {
        loop_results: items.map(({ name, kind }, index) => {
          const [id, word] = kind === 'fragile' ? ['9', 'careful'] : ['10', 'plain'];
          return {
            checked: refused.has(name) ? 'caught' : 'success',
            label: { [id]: `${word} ${index + 1}` },
            child: `shipped ${name}`,
          };
        }),
        total_iterations: 6,
        successful_iterations: 6,
        failed_iterations: 0,
      },
      signed: 'Ann',
    });
    const batches = await inlay.call('GET', `${route}/nodes/4/batches?status=Success`, {
      linkedAccountId: account,
    });
    assert.equal(batches.body.totalDocs, 6);

    assert.deepEqual(provider.calls('announce'), ['']);
    const names = items.map(({ name }) => name);
    assert.deepEqual(provider.calls('ship').toSorted(), names);
    // Calls that were under way at the kill only read: they are made again.
    assert.deepEqual(provider.calls('check').toSorted(), [...names, ...names.slice(3)].toSorted());
    assert.doesNotMatch(inlay.log(), /^\s+at /m, 'a stack trace in the log');
  } finally {
    await inlay?.stop();
    provider.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});

async function publish(inlay: RunningInlay, linkedAccountId: string, drawing: object): Promise<string> {
  const made = await inlay.call('POST', '/api/v2/public/workflow', { linkedAccountId, body: drawing });
  const published = await inlay.call('PUT', `/api/v2/public/workflow/${made.body.workflow?._id}/publish`, {
    linkedAccountId,
    body: { published: true },
  });
  assert.equal(published.status, 200, JSON.stringify([made.body, published.body]));
  return published.body._id as string;
}

function nodeOf(
  execution: { nodes?: { node_id: string; node_status: string }[] },
  id: string,
): { node_status: string } | undefined {
  return execution.nodes?.find(({ node_id }) => node_id === id);
}

/** Knows what it was asked, refuses some items, and lets calls hang from the fourth check on until it is released. */
async function openProvider(): Promise<{
  url: string;
  calls(verb: 'announce' | 'check' | 'ship'): string[];
  held(): number;
  release(): void;
  resumeUrl(): string;
  close(): void;
}> {
  const asked: { verb: string; item: string }[] = [];
  const held: ServerResponse[] = [];
  let isHolding = true;
  let resumeUrl = '';
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://provider');
    const [, verb = '', item = ''] = url.pathname.split('/');
    asked.push({ verb, item });
    resumeUrl = url.searchParams.get('resume') ?? resumeUrl;
    const isLate = verb === 'check' && !['a', 'b', 'c'].includes(item);
    if (isHolding && isLate) {
      held.push(response);
      return;
    }
    response.statusCode = verb === 'check' && refused.has(item) ? 422 : 200;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: (verb) => asked.filter((call) => call.verb === verb).map(({ item }) => item),
    held: () => held.length,
    release() {
      isHolding = false;
      for (const response of held) response.destroy();
    },
    resumeUrl: () => resumeUrl,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
