import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useState } from 'react';
import { LiveRegion } from '#components/live-region.tsx';
import { ApiError } from './api/http.ts';
import { forgetSignIn } from './api/session.ts';
import { Toasts } from './parts/toast.tsx';
import { createDashboardRouter } from './router.tsx';
import { Theme } from './theme.tsx';

/** The operator's and developer's application. */
export function Dashboard() {
  const [{ queries, router }] = useState(createParts);
  return (
    <Theme>
      <LiveRegion>
        <Toasts>
          <QueryClientProvider client={queries}>
            <RouterProvider router={router} />
          </QueryClientProvider>
        </Toasts>
      </LiveRegion>
    </Theme>
  );
}

function createParts() {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError(error) {
        if (!(error instanceof ApiError && error.status === 401)) return;
        forgetSignIn();
        const { pathname, href } = router.state.location;
        if (pathname === '/sign-in') return;
        void router.navigate({ to: '/sign-in', search: { next: href } });
      },
    }),
    defaultOptions: {
      queries: {
        // Refusals do not go away by asking again.
        retry: (count, error) =>
          count < 2 && !(error instanceof ApiError && error.status < 500 && error.status > 0),
      },
    },
  });
  const router = createDashboardRouter(queries);
  return { queries, router };
}
