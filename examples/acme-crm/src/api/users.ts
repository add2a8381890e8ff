import type { FastifyInstance } from 'fastify';
import { companyPeople, type Person } from '../people.ts';
import type { Store } from '../store.ts';
import { requireScope } from './authenticate.ts';
import { ApiError, parse } from './errors.ts';
import { cursorOf, listQuery } from './paging.ts';

function toUser(person: Person): object {
  const { id, email, name, company_id, company_name } = person;
  return { id, email, name, company: { id: company_id, name: company_name } };
}

/** The people of the company, and who the caller is. */
export function userRoutes(app: FastifyInstance, { store }: { store: Store }): void {
  app.get('/users', async ({ principal, query }) => {
    requireScope(principal, 'users:read');
    const { limit, cursor = 0, updated_since = '' } = parse(listQuery, query);
    const people = companyPeople(store, principal.companyId).filter((one) => one.created_at >= updated_since);
    const end = cursor + limit;
    return {
      data: people.slice(cursor, end).map(toUser),
      next_cursor: end < people.length ? cursorOf(end) : null,
    };
  });

  app.get('/users/me', async ({ principal }) => {
    requireScope(principal, 'users:read');
    if (principal.person === undefined) {
      throw new ApiError(403, 'no_user', 'This token belongs to an app, not to a user (client credentials).');
    }
    return toUser(principal.person);
  });
}
