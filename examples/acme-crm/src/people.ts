import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import type { Clock } from './clock.ts';
import { digest, newId, newSecret } from './ids.ts';
import type { Store } from './store.ts';

/** A user of the CRM, with the company whose data they see. */
export interface Person {
  id: string;
  email: string;
  name: string;
  company_id: string;
  company_name: string;
  created_at: string;
}

export interface ApiKey {
  id: string;
  name: string;
  preview: string;
  created_at: string;
}

const sessionMs = 7 * 24 * 3_600_000;
const personColumns = `person.id, person.email, person.name, person.company_id, person.created_at,
  company.name as company_name from person join company on company.id = person.company_id`;

export function hashPassword(password: string): string {
  const salt = randomBytes(16);
  return `${salt.toString('base64')}:${scryptSync(password, salt, 32).toString('base64')}`;
}

/** The person with this email and password, or undefined without saying which of the two was wrong. */
export function signIn(store: Store, email: string, password: string): Person | undefined {
  const row = store.one<{ id: string; password_hash: string }>(
    'select id, password_hash from person where email = ?',
    email.trim().toLowerCase(),
  );
  if (row === undefined) return undefined;
  const [salt = '', expected = ''] = row.password_hash.split(':');
  const actual = scryptSync(password, Buffer.from(salt, 'base64'), 32);
  return timingSafeEqual(actual, Buffer.from(expected, 'base64')) ? findPerson(store, row.id) : undefined;
}

export function findPerson(store: Store, id: string): Person | undefined {
  return store.one<Person>(`select ${personColumns} where person.id = ?`, id);
}

export function companyPeople(store: Store, companyId: string): Person[] {
  return store.all<Person>(
    `select ${personColumns} where person.company_id = ? order by person.id`,
    companyId,
  );
}

/** Starts a browser session and returns the cookie's value; only its digest is stored. */
export function startSession(store: Store, clock: Clock, personId: string): string {
  const token = newSecret('ses');
  const now = clock.now().getTime();
  store.run('delete from session where expires_at <= ?', now);
  store.run('insert into session values (?, ?, ?)', digest(token), personId, now + sessionMs);
  return token;
}

export function sessionPerson(store: Store, clock: Clock, token: string): Person | undefined {
  const row = store.one<{ person_id: string }>(
    'select person_id from session where token_hash = ? and expires_at > ?',
    digest(token),
    clock.now().getTime(),
  );
  return row && findPerson(store, row.person_id);
}

export function endSession(store: Store, token: string): void {
  store.run('delete from session where token_hash = ?', digest(token));
}

/** Makes an API key for a person. The key itself is returned once and never stored. */
export function createApiKey(
  deps: { store: Store; clock: Clock },
  input: { personId: string; name: string; key?: string },
): string {
  const key = input.key ?? newSecret('acme_key');
  deps.store.run(
    'insert into api_key (id, key_hash, preview, name, person_id, created_at) values (?, ?, ?, ?, ?, ?)',
    newId('key'),
    digest(key),
    `…${key.slice(-4)}`,
    input.name,
    input.personId,
    deps.clock.now().toISOString(),
  );
  return key;
}

export function listApiKeys(store: Store, personId: string): ApiKey[] {
  return store.all<ApiKey>(
    'select id, name, preview, created_at from api_key where person_id = ? order by created_at, id',
    personId,
  );
}

/** Ends a key and the webhooks that were subscribed with it. */
export function deleteApiKey(store: Store, personId: string, id: string): void {
  store.transaction(() => {
    if (store.run('delete from api_key where id = ? and person_id = ?', id, personId) === 0) return;
    store.run('delete from webhook_subscription where app_id = ?', id);
  });
}

/** The id of the key and the person it acts for. */
export function apiKeyOwner(store: Store, key: string): { keyId: string; person: Person } | undefined {
  const row = store.one<{ id: string; person_id: string }>(
    'select id, person_id from api_key where key_hash = ?',
    digest(key),
  );
  const person = row && findPerson(store, row.person_id);
  return row && person && { keyId: row.id, person };
}
