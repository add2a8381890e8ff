import { z } from 'zod';
import { companyPeople } from '../people.ts';
import { findRecord } from '../records.ts';
import type { Resource } from './resource.ts';

const dealFields = z.strictObject({
  name: z.string().trim().min(1, 'must not be empty').max(200),
  amount: z.number().min(0).max(1e12),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be a three-letter ISO 4217 code')
    .default('USD'),
  stage: z.enum(['new', 'proposal', 'negotiation', 'won', 'lost']).default('new'),
  contact_id: z.string().nullable().default(null).describe('A contact of the company.'),
  close_date: z.iso.date('must be a date such as 2026-01-31').nullable().default(null),
  owner_id: z.string().nullable().default(null).describe('A user of the company.'),
});

export const deals: Resource<typeof dealFields> = {
  kind: 'deal',
  path: '/deals',
  fields: dealFields,
  check({ store, companyId }, { contact_id, owner_id }) {
    const problems = [];
    if (
      typeof contact_id === 'string' &&
      !findRecord(store, { companyId, kind: 'contact', id: contact_id })
    ) {
      problems.push({ field: 'contact_id', message: 'is not a contact of this company' });
    }
    if (typeof owner_id === 'string' && !companyPeople(store, companyId).some(({ id }) => id === owner_id)) {
      problems.push({ field: 'owner_id', message: 'is not a user of this company' });
    }
    return problems;
  },
};
