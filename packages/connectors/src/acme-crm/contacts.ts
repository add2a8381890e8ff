/** Actions on contacts. */
import { action, del, field, get, type Input, patch, path, post } from '#kit/index';
import { byCursor, PAGE, users } from '#acme-crm/lists';

const contactId = field.text({ label: 'Contact ID' });

const details = {
  email: field.email({ label: 'Email', required: false }),
  phone: field.text({ label: 'Phone', required: false }),
  title: field.text({ label: 'Job title', required: false }),
  status: field.select({ label: 'Status', required: false, options: ['lead', 'customer', 'former'] }),
  owner: field.select({ label: 'Owner', required: false, options: users }),
};

const asContact = ({ owner, ...rest }: Input<typeof details> & { readonly name?: string | undefined }) => ({
  ...rest,
  owner_id: owner,
});

export const listContacts = action({
  label: 'List Contacts',
  group: 'Contact',
  help: 'Contacts of the company, oldest first.',
  effect: 'read',
  scopes: ['contacts:read'],
  input: { updatedSince: field.datetime({ label: 'Changed since', required: false }) },
  request: (p) => get('/contacts', { ...PAGE, updated_since: p.updatedSince }),
  items: 'data',
  pages: byCursor,
});

export const getContact = action({
  label: 'Get Contact',
  group: 'Contact',
  help: 'One contact.',
  effect: 'read',
  scopes: ['contacts:read'],
  input: { contactId },
  request: (p) => get(path`/contacts/${p.contactId}`),
});

export const createContact = action({
  label: 'Create Contact',
  group: 'Contact',
  help: 'Adds a contact.',
  effect: 'repeatable',
  idempotencyHeader: 'Idempotency-Key', // the same key gives the same contact for 24 hours
  scopes: ['contacts:write'],
  input: { name: field.text({ label: 'Name' }), ...details },
  request: (p) => post('/contacts', asContact(p)),
});

export const updateContact = action({
  label: 'Update Contact',
  group: 'Contact',
  help: 'Changes the fields given and keeps the others.',
  effect: 'repeatable',
  scopes: ['contacts:write'],
  input: { contactId, name: field.text({ label: 'Name', required: false }), ...details },
  request: ({ contactId, ...changes }) => patch(path`/contacts/${contactId}`, asContact(changes)),
});

export const deleteContact = action({
  label: 'Delete Contact',
  group: 'Contact',
  help: 'Deletes a contact for good.',
  effect: 'repeatable',
  scopes: ['contacts:write'],
  input: { contactId },
  request: (p) => del(path`/contacts/${p.contactId}`),
  output: (_nothing, p) => ({ id: p.contactId, deleted: true }),
});
