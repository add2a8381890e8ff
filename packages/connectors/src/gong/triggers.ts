/** How Gong tells of new calls: by being asked, or by an automation rule that an administrator makes. */
import { at, bodyObject, field, get, isRecord, poll, webhook } from '#kit/index';
import { exampleRuleCall } from '#gong/example-rule-call';
import { byCursor, workspaces } from '#gong/lists';
import { refuseRuleCall } from '#gong/verify-rule';

interface Call {
  readonly id: string;
  readonly started: string;
}

// Gong lists a call only once it is processed, but filters by when it started: without the overlap a long
// call, or one that was slow to process, would fall behind the cursor for good.
export const callProcessed = poll({
  label: 'Call Processed',
  help: 'A call was recorded, processed and is ready to be read.',
  every: '15m',
  overlap: '24h',
  scopes: ['api:calls:read:basic'],
  input: { workspace: field.select({ label: 'Workspace', required: false, options: workspaces }) },
  list: (window, p) =>
    get('/v2/calls', {
      fromDateTime: window.since,
      toDateTime: window.until,
      workspaceId: p.workspace,
    }),
  items: 'calls',
  pages: byCursor,
  id: (call: Call) => call.id,
  at: (call) => call.started,
});

// The rule is made by hand in Gong and its payload names no account, so the URL carries the connection.
export const callMatchedRule = webhook({
  label: 'Call Matched Rule',
  help: 'A call fits an automation rule of the company.',
  route: 'connection',
  setup: {
    manual: {
      publicKey: field.textarea({
        label: 'Public key of the rule',
        help: 'In Gong: the rule’s Signed JWT header, Show public key.',
      }),
    },
    steps: 'webhook-setup.md',
  },
  verify: refuseRuleCall,
  events(request) {
    const { callData, isTest } = bodyObject(request);
    const id = at(callData, 'metaData.id');
    if (!isRecord(callData) || (typeof id !== 'string' && typeof id !== 'number')) return [];
    return [{ id: String(id), data: { ...callData, isTest: isTest === true } }];
  },
  example: exampleRuleCall,
});
