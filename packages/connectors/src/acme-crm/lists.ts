/** Live lists of an Acme CRM company. */
import { get, options } from '#kit/index';

/** A cursor that ends by being null. */
export const byCursor = { next: 'next_cursor', sendAs: 'cursor' };

/** As many rows a page as the API gives. */
export const PAGE = { limit: 100 };

interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
}

const asOption = (row: Person) => ({
  name: row.email === null ? row.name : `${row.name} (${row.email})`,
  value: row.id,
});

export const users = options({
  scopes: ['users:read'],
  request: () => get('/users', PAGE),
  items: 'data',
  pages: byCursor,
  option: asOption,
});

export const contacts = options({
  scopes: ['contacts:read'],
  request: () => get('/contacts', PAGE),
  items: 'data',
  pages: byCursor,
  option: asOption,
});
