import { type UseQueryResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Button } from '#components/button.tsx';
import { Notice } from '#components/notice.tsx';
import { type AppDetail, appQuery, changeApp } from '../../api/apps.ts';
import { errorText } from '../../api/http.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Page } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';

/** The app of the page's address. */
export function useApp(): UseQueryResult<AppDetail> {
  const environment = useEnvironment();
  const { slug } = useParams({ strict: false });
  return useQuery(appQuery(environment, slug ?? ''));
}

const tabs = [
  { name: 'Overview', to: '/$environment/apps/$slug' },
  { name: 'Settings', to: '/$environment/apps/$slug/settings' },
  { name: 'Config fields', to: '/$environment/apps/$slug/fields' },
  { name: 'Workflows', to: '/$environment/apps/$slug/workflows' },
] as const;

/** An app: its switch, and the pages about it. */
export function AppLayout() {
  const environment = useEnvironment();
  const query = useApp();
  const up = { name: 'Apps', link: { to: '/$environment/apps', params: { environment } } } as const;
  if (query.data === undefined) {
    return (
      <Page title="App" up={up}>
        <Loaded query={query}>{() => null}</Loaded>
      </Page>
    );
  }
  const app = query.data;
  return (
    <Page
      title={app.name}
      lead={app.description}
      up={up}
      mark={<AppLogo name={app.name} src={app.icon} />}
      actions={
        <>
          {app.documentation_url !== null && (
            <a
              className="button button-plain"
              href={app.documentation_url}
              target="_blank"
              rel="noreferrer noopener"
            >
              Documentation
            </a>
          )}
          <EnableSwitch app={app} />
        </>
      }
    >
      <nav className="tabs" aria-label={app.name}>
        {tabs.map((tab) => (
          <Link
            key={tab.name}
            to={tab.to}
            params={{ environment, slug: app.slug }}
            className="tab"
            activeOptions={{ exact: true }}
            activeProps={{ 'aria-current': 'page' }}
          >
            {tab.name}
          </Link>
        ))}
      </nav>
      <Outlet />
    </Page>
  );
}

function EnableSwitch({ app }: { app: AppDetail }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const toast = useToast();
  const [isAsking, setAsking] = useState(false);
  const change = useMutation({
    mutationFn: (is_enabled: boolean) => changeApp(environment, app.slug, { is_enabled }),
    onSuccess: (changed) => {
      queries.setQueryData(appQuery(environment, app.slug).queryKey, changed);
      toast(changed.is_enabled ? `${app.name} is live` : `${app.name} is disabled`);
      return queries.invalidateQueries({ queryKey: [environment, 'apps'] });
    },
  });
  return (
    <>
      {app.is_enabled ? (
        <Button kind="danger" onClick={() => setAsking(true)}>
          Disable
        </Button>
      ) : (
        <Button kind="primary" isBusy={change.isPending} onClick={() => change.mutate(true)}>
          Go live
        </Button>
      )}
      {change.isError && <Notice tone="danger">{errorText(change.error)}</Notice>}
      {isAsking && (
        <Confirm
          title={`Disable ${app.name}?`}
          verb="Disable"
          onConfirm={() => change.mutateAsync(false)}
          onClose={() => setAsking(false)}
        >
          <p>
            Your users no longer see it in this environment. Their connections and settings stay, and come
            back when you enable it again.
          </p>
        </Confirm>
      )}
    </>
  );
}
