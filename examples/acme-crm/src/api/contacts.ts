import { z } from 'zod';
import { companyPeople } from '../people.ts';
import type { Resource } from './resource.ts';

const contactFields = z.strictObject({
  name: z.string().trim().min(1, 'must not be empty').max(200),
  email: z.email('must be an email address').max(254).nullable().default(null),
  phone: z.string().trim().max(50).nullable().default(null),
  title: z.string().trim().max(200).nullable().default(null),
  status: z.enum(['lead', 'customer', 'former']).default('lead'),
  owner_id: z.string().nullable().default(null).describe('A user of the company.'),
});

export const contacts: Resource<typeof contactFields> = {
  kind: 'contact',
  path: '/contacts',
  fields: contactFields,
  check({ store, companyId }, { owner_id }) {
    if (typeof owner_id !== 'string') return [];
    const isKnown = companyPeople(store, companyId).some(({ id }) => id === owner_id);
    return isKnown ? [] : [{ field: 'owner_id', message: 'is not a user of this company' }];
  },
};
