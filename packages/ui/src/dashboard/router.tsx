import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import type { ExecutionFilter } from './api/executions.ts';
import { ApiError } from './api/http.ts';
import { mayBeSignedIn, sessionQuery } from './api/session.ts';
import { AccountPage } from './pages/accounts/account-page.tsx';
import { AccountsPage } from './pages/accounts/accounts-page.tsx';
import { AppFieldsPage } from './pages/apps/app-fields.tsx';
import { AppLayout } from './pages/apps/app-layout.tsx';
import { AppOverview } from './pages/apps/app-overview.tsx';
import { AppSettingsPage } from './pages/apps/app-settings.tsx';
import { AppWorkflows } from './pages/apps/app-workflows.tsx';
import { AppsPage } from './pages/apps/apps-page.tsx';
import { FailurePage, MissingPage } from './pages/failure-page.tsx';
import { EventPage } from './pages/events/event-page.tsx';
import { EventsPage } from './pages/events/events-page.tsx';
import { VariablesPage } from './pages/variables/variables-page.tsx';
import { ExecutionPage } from './pages/executions/execution-page.tsx';
import { ExecutionsPage } from './pages/executions/executions-page.tsx';
import { HomePage } from './pages/home/home-page.tsx';
import { ApiKeysPage } from './pages/settings/api-keys-page.tsx';
import { OrganisationPage } from './pages/settings/organisation-page.tsx';
import { YourAccountPage } from './pages/settings/your-account-page.tsx';
import { SetupPage } from './pages/settings/setup-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { SignUpPage } from './pages/sign-in/sign-up-page.tsx';
import { NewWorkflowPage } from './pages/workflows/new-workflow-page.tsx';
import { WorkflowPage } from './pages/workflows/workflow-page.tsx';
import { WorkflowsPage } from './pages/workflows/workflows-page.tsx';
import { isEnvironment } from './shell/environment.ts';
import { Shell } from './shell/shell.tsx';

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Outlet,
  notFoundComponent: MissingPage,
});

const index = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    // oxlint-disable-next-line typescript/only-throw-error -- the router's way to redirect
    throw redirect({ to: '/$environment', params: { environment: 'test' } });
  },
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  component: SignInPage,
  validateSearch: (search): { next?: string | undefined } => {
    const next = search['next'];
    // Only a path of our own: `//host` and `/\host` leave the site. A refused one is named, or the router keeps it.
    return { next: typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : undefined };
  },
});
const signUp = createRoute({ getParentRoute: () => root, path: '/sign-up', component: SignUpPage });

const environment = createRoute({
  getParentRoute: () => root,
  path: '/$environment',
  component: Shell,
  beforeLoad: async ({ context, params, location }) => {
    // oxlint-disable-next-line typescript/only-throw-error -- the router's way to redirect
    if (!isEnvironment(params.environment)) throw redirect({ to: '/' });
    const away = redirect({ to: '/sign-in', search: { next: location.href } });
    // oxlint-disable-next-line typescript/only-throw-error -- the router's way to redirect
    if (!mayBeSignedIn()) throw away;
    try {
      await context.queries.ensureQueryData(sessionQuery);
    } catch (error) {
      // oxlint-disable-next-line typescript/only-throw-error -- the router's way to redirect
      throw error instanceof ApiError && error.status === 401 ? away : error;
    }
  },
});

const inside = <const Path extends string>(path: Path) => ({ getParentRoute: () => environment, path });

const app = createRoute({ ...inside('apps/$slug'), component: AppLayout });

const routes = root.addChildren([
  index,
  signIn,
  signUp,
  environment.addChildren([
    createRoute({ ...inside('/'), component: HomePage }),
    createRoute({ ...inside('apps'), component: AppsPage }),
    app.addChildren([
      createRoute({ getParentRoute: () => app, path: '/', component: AppOverview }),
      createRoute({ getParentRoute: () => app, path: 'settings', component: AppSettingsPage }),
      createRoute({ getParentRoute: () => app, path: 'fields', component: AppFieldsPage }),
      createRoute({ getParentRoute: () => app, path: 'workflows', component: AppWorkflows }),
    ]),
    createRoute({ ...inside('linked-accounts'), component: AccountsPage, validateSearch: listSearch }),
    createRoute({ ...inside('linked-accounts/$accountId'), component: AccountPage }),
    createRoute({ ...inside('your-app/setup'), component: SetupPage }),
    createRoute({ ...inside('your-app/events'), component: EventsPage }),
    createRoute({ ...inside('your-app/events/$eventId'), component: EventPage }),
    createRoute({ ...inside('your-app/variables'), component: VariablesPage }),
    createRoute({ ...inside('workflows'), component: WorkflowsPage }),
    createRoute({
      ...inside('workflows/new'),
      component: NewWorkflowPage,
      validateSearch: (search): { app?: string; event?: string } => ({
        ...text(search, 'app'),
        ...text(search, 'event'),
      }),
    }),
    createRoute({ ...inside('workflows/$workflowId'), component: WorkflowPage }),
    createRoute({
      ...inside('logs/executions'),
      component: ExecutionsPage,
      validateSearch: (search): ExecutionFilter => ({
        ...text(search, 'status'),
        ...text(search, 'workflow'),
        ...text(search, 'account'),
        ...text(search, 'from'),
        ...text(search, 'to'),
        ...pageNumber(search),
      }),
    }),
    createRoute({ ...inside('logs/executions/$executionId'), component: ExecutionPage }),
    createRoute({ ...inside('settings/organisation'), component: OrganisationPage }),
    createRoute({ ...inside('settings/api-keys'), component: ApiKeysPage }),
    createRoute({ ...inside('settings/account'), component: YourAccountPage }),
  ]),
]);

/** The pages by their addresses. The environment is part of every address inside. */
export function createDashboardRouter(queries: QueryClient) {
  return createRouter({
    routeTree: routes,
    context: { queries },
    defaultPreload: false,
    scrollRestoration: false,
    defaultErrorComponent: FailurePage,
    defaultNotFoundComponent: MissingPage,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createDashboardRouter>;
  }
}

function listSearch(search: Record<string, unknown>): { search?: string; page?: number } {
  return { ...text(search, 'search'), ...pageNumber(search) };
}

function text<const Name extends string>(
  search: Record<string, unknown>,
  name: Name,
): { [K in Name]?: string } {
  const value = search[name];
  if (typeof value !== 'string' && typeof value !== 'number') return {};
  return value === '' ? {} : ({ [name]: String(value) } as { [K in Name]?: string });
}

function pageNumber(search: Record<string, unknown>): { page?: number } {
  const page = Number(search['page']);
  return Number.isInteger(page) && page > 1 ? { page } : {};
}
