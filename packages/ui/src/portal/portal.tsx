import { useEffect, useMemo } from 'react';
import { LiveRegion } from '#components/live-region.tsx';
import { useResource } from '#components/use-resource.ts';
import { createPortalApi } from './api/portal-api.ts';
import { asProblem, Problem } from './api/problem.ts';
import type { PortalSession } from './api/wire.ts';
import { brandProperties } from './brand/brand.ts';
import { AppPage } from './pages/app-page.tsx';
import { ErrorBoundary } from './pages/error-boundary.tsx';
import { Frame } from './pages/frame.tsx';
import { ListPage } from './pages/list-page.tsx';
import { ListSkeleton } from './pages/skeletons.tsx';
import { TroublePage } from './pages/trouble-page.tsx';
import { PortalContext } from './portal-context.ts';
import { RouterProvider, useRouter } from './router.tsx';

/** The end customer's application: connect apps and configure them. */
export function Portal({ openSession }: { openSession: () => Promise<PortalSession> }) {
  const opened = useResource(openSession);
  const session = opened.data;
  useBrand(session);
  const value = useMemo(
    () =>
      session && {
        session,
        api: expiring(
          createPortalApi(session.token, session.config_id ?? configIdOfAddress()),
          opened.reload,
        ),
      },
    [session, opened.reload],
  );
  const isDead = opened.error !== undefined && asProblem(opened.error).kind === 'link_expired';
  if (value === undefined || isDead) {
    return (
      <LiveRegion>
        <Frame session={session}>
          {opened.error !== undefined && !opened.isLoading ? (
            <TroublePage error={opened.error} session={session} onRetry={opened.reload} />
          ) : (
            <ListSkeleton />
          )}
        </Frame>
      </LiveRegion>
    );
  }
  return (
    <LiveRegion>
      <PortalContext value={value}>
        <RouterProvider>
          <Frame session={session}>
            <Page />
          </Frame>
        </RouterProvider>
      </PortalContext>
    </LiveRegion>
  );
}

function Page() {
  const { route } = useRouter();
  return (
    <ErrorBoundary key={route.page === 'list' ? '' : route.slug}>
      {route.page === 'list' ? <ListPage /> : <AppPage slug={route.slug} />}
    </ErrorBoundary>
  );
}

/** The connect URL's query survives the scrubbing of its token, so a reload still knows the config. */
function configIdOfAddress(): string | undefined {
  return new URLSearchParams(location.search).get('config_id') || undefined;
}

/**
 * The same calls; when the server no longer takes the token the session is opened once more by the browser's
 * binding, which either brings a fresh token or the page that explains the end of the link.
 */
function expiring<Api extends object>(api: Api, onExpired: () => void): Api {
  const wrapped = Object.entries(api).map(
    ([name, method]: [string, (...args: unknown[]) => Promise<unknown>]) => [
      name,
      async (...args: unknown[]) => {
        try {
          return await method(...args);
        } catch (error) {
          if (error instanceof Problem && error.kind === 'link_expired') onExpired();
          throw error;
        }
      },
    ],
  );
  return Object.fromEntries(wrapped) as Api;
}

/** Sets the organisation's colours on the document through the CSSOM, which the content policy allows. */
function useBrand(session: PortalSession | undefined) {
  useEffect(() => {
    if (session === undefined) return undefined;
    const properties = Object.entries(brandProperties(session.properties));
    const { style } = document.documentElement;
    for (const [name, value] of properties) style.setProperty(name, value);
    return () => {
      for (const [name] of properties) style.removeProperty(name);
    };
  }, [session]);
}
