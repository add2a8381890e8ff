import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventTemplates, guessParameters, starterDocument } from './starter-document.ts';

const action = {
  id: 'createContact',
  label: 'Create Contact',
  group: 'Contact',
  help: '',
  scopes: [],
  input: ['name', 'email', 'closeDate'].map((name) => ({ name, type: 'text', label: name, required: false })),
};

test('nested fields of a sample become dotted templates, lists are one value', () => {
  assert.deepEqual(eventTemplates({ name: '', address: { city: '' }, tags: ['a'] }), [
    '{{event.name}}',
    '{{event.address.city}}',
    '{{event.tags}}',
  ]);
});

test('names that a template cannot hold are not offered', () => {
  assert.deepEqual(eventTemplates({ 'first name': '', ok: 1 }), ['{{event.ok}}']);
});

test('parameters take the field of the same name, whatever its case and dashes', () => {
  assert.deepEqual(guessParameters(action, ['{{event.Name}}', '{{event.close_date}}', '{{event.other}}']), {
    name: '{{event.Name}}',
    closeDate: '{{event.close_date}}',
  });
});

test('empty parameters are left out of the document', () => {
  const document = starterDocument({
    event: 'E',
    app: 'acme-crm',
    action,
    parameters: { name: '{{event.name}}', email: ' ' },
  });
  assert.deepEqual(document.nodes[1]?.data, {
    app: 'acme-crm',
    action: 'createContact',
    parameters: { name: '{{event.name}}' },
  });
  assert.deepEqual(document.edges, [{ source: '1', target: '2' }]);
});
