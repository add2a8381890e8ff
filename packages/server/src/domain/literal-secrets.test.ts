import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  missingSecretProblems,
  redactedSecret,
  withoutSecrets,
  withSecretsOf,
} from '#domain/literal-secrets';
import type { WorkflowNode } from '#domain/workflow-document';

const node = (data: Record<string, unknown>): WorkflowNode => ({
  id: '2',
  node_type: 'http',
  name: 'Get',
  data,
});

test('what a file leaves out is asked for again, and found where it was before', () => {
  const secret = {
    url: 'https://example.com/{{event.id}}?page=1&api_key=k-1',
    mcp_servers: [{ url: 'https://u:p-1@example.com' }],
    api_keys: ['k-2', '{{env.org.KEY}}'],
    query: { token: 't-1' },
    servers: '[{"url": "https://example.com", "headers": {"Authorization": "Bearer s-1"}}]',
  };
  const harmless = {
    list: '[{"a": "b", "token": "{{env.org.TOKEN}}"}]',
    next: 'https://example.com/?sort_key=name&token={{event.token}}',
    body: 'api_key=x',
  };
  const { nodes, paths } = withoutSecrets([node({ ...secret, ...harmless })]);
  assert.deepEqual(nodes[0]?.data, {
    url: redactedSecret,
    mcp_servers: [{ url: redactedSecret }],
    api_keys: [redactedSecret, '{{env.org.KEY}}'],
    query: { token: redactedSecret },
    servers: redactedSecret,
    ...harmless,
  });
  assert.deepEqual(
    paths.map((path) => path.replace('nodes.2.data.', '')),
    ['url', 'mcp_servers.0.url', 'api_keys.0', 'query.token', 'servers'],
  );
  assert.deepEqual(
    missingSecretProblems(nodes).map(({ path }) => path),
    paths.map((path) => path.replace('nodes.2', 'nodes[0]')),
  );
  const before = [node({ ...secret, ...harmless })];
  assert.deepEqual(withSecretsOf(before, nodes), before);
});

test('a secret is not put back into a node that goes to another host than before', () => {
  const headers = { Authorization: 'Bearer s-1' };
  const left = { Authorization: redactedSecret };
  const before = [node({ url: 'https://api.example.com/a', headers })];
  const restored = (data: Record<string, unknown>) =>
    withSecretsOf(before, [node({ ...data, headers: left })])[0]?.data['headers'];
  assert.deepEqual(restored({ url: 'https://API.example.com/b?c={{event.c}}' }), headers);
  for (const url of [
    'https://api.example.com.evil.example/a',
    'https://api.example.com@evil.example',
    '{{event.url}}',
  ]) {
    assert.deepEqual(restored({ url }), left, url);
  }
  assert.deepEqual(restored({ base_url: 'http://api.example.com' }), left);
  assert.deepEqual(restored({ base_url: 'https://api.example.com', path: '/x' }), headers);
  assert.deepEqual(restored({ base_url: 'https://api.example.com', path: '@evil.example' }), left);
});
