/** Live lists of a Gong company, and what its endpoints have in common. */
import { get, options } from '#kit/index';

/** Gong pages by a cursor that ends by being absent; it goes back into the query of a GET, the body of a POST. */
export const byCursor = { next: 'records.cursor', sendAs: 'cursor' };

export interface User {
  readonly id: string;
  readonly emailAddress: string;
  readonly firstName?: string;
  readonly lastName?: string;
  readonly phoneNumber?: string;
  readonly emailAliases?: readonly string[];
}

interface Named {
  readonly id: string;
  readonly name: string;
}

const byName = (row: Named) => ({ name: row.name, value: row.id });

/** First and last name, or the e-mail address where neither is known. */
export function nameOf(user: User): string {
  return [user.firstName, user.lastName].filter(Boolean).join(' ') || user.emailAddress;
}

export const workspaces = options({
  scopes: ['api:workspaces:read'],
  request: () => get('/v2/workspaces'),
  items: 'workspaces',
  option: byName,
});

export const users = options({
  scopes: ['api:users:read'],
  request: () => get('/v2/users'),
  items: 'users',
  pages: byCursor,
  option: (user: User) => ({ name: nameOf(user), value: user.id }),
});

/** Meetings are booked by e-mail address, not by id. */
export const userEmails = options({
  scopes: ['api:users:read'],
  request: () => get('/v2/users'),
  items: 'users',
  pages: byCursor,
  option: (user: User) => ({ name: nameOf(user), value: user.emailAddress }),
});

export const folders = options({
  dependsOn: ['workspace'],
  scopes: ['api:library:read'],
  request: ({ workspace }) => get('/v2/library/folders', { workspaceId: workspace }),
  items: 'folders',
  option: byName,
});

/** Outcomes have no id of their own: a call stores the name. */
export const callOutcomes = options({
  scopes: ['api:call-outcomes:read'],
  request: () => get('/v2/call-outcomes'),
  items: 'outcomes',
  option: (row: { readonly callOutcome: string }) => ({ name: row.callOutcome, value: row.callOutcome }),
});
