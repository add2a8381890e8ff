import assert from 'node:assert/strict';
import type { Answer, RunningInlay } from './inlay.ts';

/** The dashboard's own API, called as its signed-in owner. */
export type Console = (
  method: string,
  route: string,
  options?: { readonly body?: unknown; readonly environment?: 'test' | 'production' },
) => Promise<Answer>;

export async function signInToConsole(inlay: RunningInlay): Promise<Console> {
  const answer = await inlay.call('POST', '/api/admin/sign-in', { body: inlay.owner });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const cookie = answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  return (method, route, { body, environment = 'test' } = {}) =>
    inlay.call(method, `/api/admin/${route}`, {
      body,
      headers: { cookie, origin: inlay.url, 'x-inlay-environment': environment },
    });
}
