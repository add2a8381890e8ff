/** Actions on deals, and the list of users. */
import { action, del, field, get, type Input, patch, path, post } from '#kit/index';
import { byCursor, contacts, PAGE, users } from '#acme-crm/lists';

const dealId = field.text({ label: 'Deal ID' });

const details = {
  currency: field.text({ label: 'Currency', required: false, placeholder: 'USD', help: 'ISO 4217.' }),
  stage: field.select({
    label: 'Stage',
    required: false,
    options: ['new', 'proposal', 'negotiation', 'won', 'lost'],
  }),
  contact: field.select({ label: 'Contact', required: false, options: contacts }),
  closeDate: field.date({ label: 'Close date', required: false }),
  owner: field.select({ label: 'Owner', required: false, options: users }),
};

interface Deal extends Input<typeof details> {
  readonly name?: string | undefined;
  readonly amount?: number | undefined;
}

const asDeal = ({ contact, closeDate, owner, ...rest }: Deal) => ({
  ...rest,
  contact_id: contact,
  close_date: closeDate,
  owner_id: owner,
});

export const listDeals = action({
  label: 'List Deals',
  group: 'Deal',
  help: 'Deals of the company, oldest first.',
  effect: 'read',
  scopes: ['deals:read'],
  input: { updatedSince: field.datetime({ label: 'Changed since', required: false }) },
  request: (p) => get('/deals', { ...PAGE, updated_since: p.updatedSince }),
  items: 'data',
  pages: byCursor,
});

export const getDeal = action({
  label: 'Get Deal',
  group: 'Deal',
  help: 'One deal.',
  effect: 'read',
  scopes: ['deals:read'],
  input: { dealId },
  request: (p) => get(path`/deals/${p.dealId}`),
});

export const createDeal = action({
  label: 'Create Deal',
  group: 'Deal',
  help: 'Adds a deal.',
  effect: 'repeatable',
  idempotencyHeader: 'Idempotency-Key',
  scopes: ['deals:write'],
  input: { name: field.text({ label: 'Name' }), amount: field.number({ label: 'Amount' }), ...details },
  request: (p) => post('/deals', asDeal(p)),
});

export const updateDeal = action({
  label: 'Update Deal',
  group: 'Deal',
  help: 'Changes the fields given and keeps the others.',
  effect: 'repeatable',
  scopes: ['deals:write'],
  input: {
    dealId,
    name: field.text({ label: 'Name', required: false }),
    amount: field.number({ label: 'Amount', required: false }),
    ...details,
  },
  request: ({ dealId, ...changes }) => patch(path`/deals/${dealId}`, asDeal(changes)),
});

export const deleteDeal = action({
  label: 'Delete Deal',
  group: 'Deal',
  help: 'Deletes a deal for good.',
  effect: 'repeatable',
  scopes: ['deals:write'],
  input: { dealId },
  request: (p) => del(path`/deals/${p.dealId}`),
  output: (_nothing, p) => ({ id: p.dealId, deleted: true }),
});

export const listUsers = action({
  label: 'List Users',
  group: 'User',
  help: 'People of the company.',
  effect: 'read',
  scopes: ['users:read'],
  request: () => get('/users', PAGE),
  items: 'data',
  pages: byCursor,
});
