import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customBody, customHeader, slackBody, templateFault } from '#webhooks/render';

const values = {
  event: { event: 'Workflow Errored', workflow_name: 'Orders "2"\n', error: { message: 'a\\b' } },
  workflow_response: { ok: true },
  linked_account_name: 'Ann',
};

test('a value cannot break the JSON of a custom body open, wherever its template stands', () => {
  const body = customBody(
    '{"text": "{{event.workflow_name}} of {{linked_account_name}}: {{event.error.message}}", "all": {{event}}, "answer": "{{workflow_response}}"}',
    values,
  );
  assert.deepEqual(JSON.parse(body), {
    text: 'Orders "2"\n of Ann: a\\b',
    all: values.event,
    answer: values.workflow_response,
  });
  assert.equal(customBody('{{event}}', values), JSON.stringify(values.event));
  assert.equal(customBody('{ "a": 1 }', values), '{"a":1}');
});

test('a value of a header brings no second header with it', () => {
  assert.equal(customHeader('for {{event.workflow_name}}', values), 'for Orders "2" ');
});

test('templates with names that do not exist, and bodies that are no JSON, are faults in words', () => {
  assert.equal(templateFault('{"a": "{{event.status}}", "b": {{workflow_response.x.y}}}', true), undefined);
  assert.equal(templateFault('Bearer abc', false), undefined);
  assert.match(templateFault('{{evnt}}', true)!, /"\{\{evnt\}\}" is not known here/);
  assert.match(templateFault('{"a": "{{event.staus}}"}', true)!, /"\{\{event\.staus\}\}" is not known/);
  assert.match(templateFault('failed: {{event.status}}', true)!, /is not JSON/);
  assert.match(templateFault('{"a": }', true)!, /is not JSON/);
});

test('what Slack reads as markup arrives as text', () => {
  assert.equal(slackBody('<!channel> & co'), '{"text":"&lt;!channel&gt; &amp; co"}');
});
