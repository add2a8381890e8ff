import { queryOptions } from '@tanstack/react-query';
import { api } from './http.ts';

export interface Session {
  readonly user: { readonly id: string; readonly email: string; readonly name: string };
  readonly organization: { readonly id: string; readonly name: string };
  readonly role: string;
}

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => api<Session>('/session', { signal }),
  staleTime: 60_000,
  retry: false,
});

// The cookie is out of reach of scripts; this mark only spares a first visitor a call that must fail.
const mark = 'inlay-signed-in';

export function mayBeSignedIn(): boolean {
  return localStorage.getItem(mark) !== null;
}

export function forgetSignIn(): void {
  localStorage.removeItem(mark);
}

export async function signIn(input: { email: string; password: string }): Promise<void> {
  await api('/sign-in', { method: 'POST', body: input });
  localStorage.setItem(mark, '1');
}

export async function signUp(input: {
  email: string;
  password: string;
  name: string;
  organization: string;
}): Promise<void> {
  await api('/sign-up', { method: 'POST', body: input });
  localStorage.setItem(mark, '1');
}

/** Changes the password; every other browser that is signed in with the old one is signed out. */
export function changePassword(input: { current_password: string; new_password: string }): Promise<unknown> {
  return api('/change-password', { method: 'POST', body: input });
}

export async function signOut(): Promise<void> {
  await api('/sign-out', { method: 'POST', body: {} });
  forgetSignIn();
}
