import type { RunningInlay } from '../tests/inlay.ts';

/** What the middle one of the five nodes is: JSONata costs a trip to the sandbox, a rule costs none. */
export type Middle = 'jsonata' | 'rule';

/** Publishes a workflow of start, three pure nodes and a response for an account; answers its id. */
export async function publishFiveNodes(
  inlay: RunningInlay,
  middle: Middle,
  linkedAccountId = inlay.demo.linkedAccountId,
): Promise<string> {
  const rule = (operator: string, value: string) => ({
    match: 'all',
    conditions: [{ variable: '{{event.n}}', operator, value }],
  });
  return publish(inlay, linkedAccountId, {
    name: `Five nodes with ${middle}`,
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'api_call' } } },
      { id: '2', node_type: 'rule', name: 'Is there a number', data: rule('exist', '') },
      middle === 'jsonata'
        ? { id: '3', node_type: 'transform', name: 'Reshape', data: { input: '{{event}}', query: '$' } }
        : { id: '3', node_type: 'rule', name: 'Is it small', data: rule('lt', '1000') },
      { id: '4', node_type: 'rule', name: 'Is it positive', data: rule('gte', '0') },
      { id: '5', node_type: 'response', name: 'Answer', data: { data: { n: '{{event.n}}' } } },
    ],
    edges: [
      { source: '1', target: '2' },
      { source: '2', target: '3', source_handle: 'true' },
      { source: '3', target: '4', ...(middle === 'rule' && { source_handle: 'true' }) },
      { source: '4', target: '5', source_handle: 'true' },
    ],
  });
}

/** Publishes a workflow of an account; answers its id. */
export async function publish(
  inlay: RunningInlay,
  linkedAccountId: string,
  workflow: { readonly name: string; readonly nodes: readonly unknown[]; readonly edges: readonly unknown[] },
): Promise<string> {
  const created = await inlay.call('POST', '/api/v2/public/workflow', {
    linkedAccountId,
    body: { ...workflow, slug: 'acme-crm' },
  });
  if (created.status !== 200) throw new Error(JSON.stringify(created.body));
  const published = await inlay.call('PUT', `/api/v2/public/workflow/${created.body.workflow._id}/publish`, {
    linkedAccountId,
    body: { published: true },
  });
  if (published.status !== 200) throw new Error(JSON.stringify(published.body));
  return published.body._id as string;
}
