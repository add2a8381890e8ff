import { call } from './http.ts';
import { asProblem, Problem } from './problem.ts';
import type { PortalSession } from './wire.ts';

// For a reload, and for the way back from a provider in the same tab. The server has bound the link to this
// browser by an HttpOnly cookie at its first opening: without that cookie the token opens nothing. The storage
// may be refused in a frame: then a reload asks for a new link, and everything else works.
const storageKey = 'inlay-link';

/**
 * Opens the portal: exchanges the token in the address bar, or on a reload the one this tab remembers, for a
 * session. The token leaves the address bar and the history before anything else is loaded; it stays in this
 * closure, so that a failed exchange can be tried again.
 */
export function createSessionOpener(): () => Promise<PortalSession> {
  const token = /^\/connect\/([^/]+)\/?$/.exec(location.pathname)?.[1] ?? remembered();
  if (token !== undefined) {
    remember(token);
    if (!location.pathname.startsWith('/connect/apps/'))
      history.replaceState(null, '', `/connect/${location.search}`);
  }
  let opening: Promise<PortalSession> | undefined;
  return () => {
    opening ??= exchange(token).finally(() => {
      opening = undefined;
    });
    return opening;
  };
}

async function exchange(token: string | undefined): Promise<PortalSession> {
  if (token === undefined) throw new Problem('link_expired', '');
  try {
    return await call<PortalSession>({ method: 'POST', path: '/api/portal/session', body: { token } });
  } catch (error) {
    const problem = asProblem(error);
    // Whatever the server holds against a link, the way out is the same: get a new one.
    const isDead = problem.kind === 'refused' || problem.kind === 'not_found';
    throw isDead ? new Problem('link_expired', problem.message, { cause: error }) : problem;
  }
}

function remember(token: string): void {
  try {
    sessionStorage.setItem(storageKey, token);
  } catch {
    // A convenience, see above.
  }
}

function remembered(): string | undefined {
  try {
    return sessionStorage.getItem(storageKey) ?? undefined;
  } catch {
    return undefined;
  }
}
