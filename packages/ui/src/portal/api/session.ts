import { call } from './http.ts';
import { asProblem, Problem } from './problem.ts';
import type { PortalSession } from './wire.ts';

// Names the opened link for a reload and for the way back from a provider in the same tab. It opens nothing
// without the HttpOnly cookie that the first opening has set. Tab storage may be refused in a frame: then a
// reload asks for a new link, and everything else works.
const storageKey = 'inlay-link';

/**
 * Opens the portal: exchanges the token in the address bar, or on a reload the name of the link this tab has
 * opened, for a session. The token leaves the address bar and the history before anything else is loaded; it
 * stays in this closure only, so that a failed exchange can be tried again.
 */
export function createSessionOpener(): () => Promise<PortalSession> {
  const token = /^\/connect\/([^/]+)\/?$/.exec(location.pathname)?.[1];
  if (token !== undefined) history.replaceState(null, '', `/connect/${location.search}`);
  let opening: Promise<PortalSession> | undefined;
  return () => {
    opening ??= open(token).finally(() => {
      opening = undefined;
    });
    return opening;
  };
}

async function open(token: string | undefined): Promise<PortalSession> {
  const link = readLink();
  if (token === undefined && link === undefined) throw new Problem('link_expired', '');
  const session = await exchange(token === undefined ? { link } : { token });
  try {
    sessionStorage.setItem(storageKey, session.link);
  } catch {
    // A convenience, see above.
  }
  return session;
}

async function exchange(body: { token?: string; link?: string | undefined }): Promise<PortalSession> {
  try {
    return await call<PortalSession>({ method: 'POST', path: '/api/portal/session', body });
  } catch (error) {
    const problem = asProblem(error);
    // Whatever the server holds against a link, the way out is the same: get a new one.
    const isDead = problem.kind === 'refused' || problem.kind === 'not_found';
    throw isDead ? new Problem('link_expired', problem.message, { cause: error }) : problem;
  }
}

function readLink(): string | undefined {
  try {
    return sessionStorage.getItem(storageKey) ?? undefined;
  } catch {
    return undefined;
  }
}
