import { useCallback, useEffect, useRef, useState } from 'react';
import type { Failure } from '../api/portal-api.ts';
import type { Application, ConnectedAccount } from '../api/wire.ts';
import { accountOf, identifierOf } from '../connection-state.ts';
import { explain } from '../explain.ts';
import { usePortal } from '../portal-context.ts';
import { pathOf } from '../router.tsx';

/** Where an authorization stands, as the customer sees it. */
export type OAuthPhase =
  | { readonly at: 'idle' }
  | { readonly at: 'starting' }
  /** The provider's window is open, or was: only the server knows how it ended. */
  | { readonly at: 'waiting'; readonly isWindowOpen: boolean }
  /** No window could be opened: `url` continues in this tab and leads back here. */
  | { readonly at: 'blocked'; readonly url: string }
  | { readonly at: 'ended'; readonly why: 'denied' | 'failed' | 'closed'; readonly message: string };

const pollEveryMs = 1_500;
// After the window is gone (or only looks so: a provider's opener policy makes `closed` true at once) the
// server may still be exchanging the code.
const graceAfterCloseMs = 30_000;

/**
 * One authorization by OAuth: the window, the waiting, and the way out of each way it can end. `onConnected` hears
 * who was behind the connection before, if anybody.
 */
export function useOAuth(app: Application, onConnected: (app: Application, earlier?: string) => void) {
  const { api } = usePortal();
  const [phase, setPhase] = useState<OAuthPhase>({ at: 'idle' });
  const attempt = useRef<AbortController>(undefined);
  const connected = useRef(onConnected);
  connected.current = onConnected;
  useEffect(() => () => attempt.current?.abort(), []);
  // Back in this tab from the provider's page: the server knows how it ended.
  useEffect(() => {
    const left = takeLeftAttempt(app.slug);
    if (left === undefined) return;
    if (left.identifier !== undefined && left.identifier !== oauthIdentifier(app)) {
      connected.current(app, left.identifier);
    }
    api.lastFailure(app.slug).then(
      (failure) => setPhase(failure.id === left.failureId ? { at: 'idle' } : endedBy(failure)),
      () => undefined,
    );
  }, [api, app]);

  const start = useCallback(
    (fields: Readonly<Record<string, string>>) => {
      attempt.current?.abort();
      const abort = new AbortController();
      attempt.current = abort;
      // Synchronously inside the click: after an await Safari and pop-up blockers refuse.
      const popup = openWindow(app.name);
      const before = accountOf(app, 'oauth2');
      setPhase({ at: 'starting' });
      void run().catch((error: unknown) => {
        popup?.close();
        if (!abort.signal.aborted) setPhase({ at: 'ended', why: 'failed', message: explain(error) });
      });

      async function run() {
        const earlier = await api.lastFailure(app.slug);
        const returnTo = popup === undefined ? pathOf({ page: 'app', slug: app.slug }) : undefined;
        const url = await api.startOAuth(app.slug, fields, returnTo);
        if (abort.signal.aborted) return;
        if (popup === undefined) {
          rememberLeftAttempt({
            slug: app.slug,
            failureId: earlier.id,
            identifier: oauthIdentifier(app),
          });
          setPhase({ at: 'blocked', url });
          return;
        }
        // The provider's page must not be able to steer this one.
        popup.opener = null;
        popup.location.replace(url);
        setPhase({ at: 'waiting', isWindowOpen: true });
        let closedAt: number | undefined;
        for (;;) {
          await pause(pollEveryMs, abort.signal);
          if (abort.signal.aborted) return;
          if (closedAt === undefined && popup.closed) {
            closedAt = Date.now();
            setPhase({ at: 'waiting', isWindowOpen: false });
          }
          const now = await api.getApp(app.slug).catch(() => undefined);
          if (abort.signal.aborted) return;
          if (now !== undefined && isNewlyActive(accountOf(now, 'oauth2'), before)) {
            popup.close();
            setPhase({ at: 'idle' });
            connected.current(now, before && identifierOf(before));
            return;
          }
          const failure = await api.lastFailure(app.slug).catch(() => earlier);
          if (abort.signal.aborted) return;
          if (failure.id !== undefined && failure.id !== earlier.id) {
            setPhase(endedBy(failure));
            return;
          }
          if (closedAt !== undefined && Date.now() - closedAt > graceAfterCloseMs) {
            setPhase({ at: 'ended', why: 'closed', message: '' });
            return;
          }
        }
      }
    },
    [api, app],
  );
  return { phase, start };
}

function oauthIdentifier(app: Application): string | undefined {
  const account = accountOf(app, 'oauth2');
  return account && identifierOf(account);
}

/** Reconnecting an active account is done only when the server has stored the new authorization. */
function isNewlyActive(now: ConnectedAccount | undefined, before: ConnectedAccount | undefined): boolean {
  if (now?.status !== 'active') return false;
  return before?.status !== 'active' || now.connectedAt !== before.connectedAt;
}

function openWindow(appName: string): Window | undefined {
  const width = Math.min(560, screen.availWidth);
  const height = Math.min(720, screen.availHeight);
  const left = Math.max(0, window.screenX + (window.outerWidth - width) / 2);
  const top = Math.max(0, window.screenY + (window.outerHeight - height) / 2);
  const features = `popup,width=${width},height=${height},left=${left},top=${top}`;
  const popup = window.open('about:blank', '_blank', features);
  if (popup === null || popup.closed) return undefined;
  popup.document.title = appName;
  return popup;
}

/** Waits, or less when the reader comes back to this page: then there is probably news. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('focus', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('focus', done);
    signal.addEventListener('abort', done);
  });
}

function endedBy(failure: Failure): OAuthPhase {
  return {
    at: 'ended',
    why: failure.is_denial === true ? 'denied' : 'failed',
    message: failure.message ?? '',
  };
}

/** An authorization that went on in this tab, and the newest failure known before it. */
interface LeftAttempt {
  readonly slug: string;
  readonly failureId: string | undefined;
  readonly identifier: string | undefined;
}

const leftKey = 'inlay-left-for-provider';

function rememberLeftAttempt(attempt: LeftAttempt): void {
  try {
    sessionStorage.setItem(leftKey, JSON.stringify(attempt));
  } catch {
    // Without tab storage the page shows the connection's state all the same, only not why it failed.
  }
}

function takeLeftAttempt(slug: string): LeftAttempt | undefined {
  try {
    const attempt = JSON.parse(sessionStorage.getItem(leftKey) ?? 'null') as LeftAttempt | null;
    if (attempt?.slug !== slug) return undefined;
    sessionStorage.removeItem(leftKey);
    return attempt;
  } catch {
    return undefined;
  }
}
