import { useCallback, useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Icon } from '#components/icon.tsx';
import { useAnnounce } from '#components/live-region.tsx';
import { Notice } from '#components/notice.tsx';
import { useResource } from '#components/use-resource.ts';
import { asProblem } from '../api/problem.ts';
import type { Application, AuthType } from '../api/wire.ts';
import { ConfigSection } from '../config/config-section.tsx';
import { KeyRow } from '../connect/key-row.tsx';
import { OAuthRow } from '../connect/oauth-row.tsx';
import { accountOf, authTypesOf, connectionState, identifierOf } from '../connection-state.ts';
import { t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';
import { Link } from '../router.tsx';
import { categoryOf } from './list-page.tsx';
import { PageTitle } from './page-title.tsx';
import { AppSkeleton } from './skeletons.tsx';
import { StateChip } from './state-chip.tsx';
import { TroublePage } from './trouble-page.tsx';

/** One app: how it is connected, and what the customer chose for it. */
export function AppPage({ slug }: { slug: string }) {
  const { api, session } = usePortal();
  const app = useResource(useCallback((signal) => api.getApp(slug, signal), [api, slug]));
  return (
    <div className="app">
      <Link className="back" to={{ page: 'list' }}>
        <Icon name="arrowLeft" />
        {t('back_to_list')}
      </Link>
      {app.data !== undefined ? (
        <AppView app={app.data} onChange={app.replace} />
      ) : app.error === undefined || app.isLoading ? (
        <AppSkeleton />
      ) : asProblem(app.error).kind === 'not_found' ? (
        <section className="trouble">
          <Icon name="alert" />
          <PageTitle>{t('app_unavailable_title')}</PageTitle>
          <p>{t('app_unavailable_text')}</p>
        </section>
      ) : (
        <TroublePage error={app.error} session={session} onRetry={app.reload} />
      )}
    </div>
  );
}

function AppView({ app, onChange }: { app: Application; onChange: (app: Application) => void }) {
  const { api } = usePortal();
  const announce = useAnnounce();
  const authTypes = authTypesOf(app);
  const state = connectionState(app);
  /** Whose account was connected before and whose is now: told when it is not the same one. */
  const [replaced, setReplaced] = useState<{ readonly from: string; readonly to: string }>();

  const onConnected = (type: AuthType, connected: Application, earlier: string | undefined) => {
    onChange(connected);
    announce(t('connected_now', { app: app.name }));
    const account = accountOf(connected, type);
    const identifier = account && identifierOf(account);
    const isOther = earlier !== undefined && identifier !== undefined && earlier !== identifier;
    setReplaced(isOther ? { from: earlier, to: identifier } : undefined);
  };
  const onDisconnected = () => {
    setReplaced(undefined);
    announce(t('disconnected_now', { app: app.name }));
    // The row is told at once; a failing reload must not make it look connected still.
    void api
      .getApp(app.slug)
      .then(onChange, () => onChange({ ...app, connected: false, connected_accounts: [] }));
  };
  return (
    <>
      <div className="app-head">
        <AppLogo name={app.name} src={app.icon} size="large" />
        <div>
          <PageTitle>{app.name}</PageTitle>
          <p className="app-meta">
            <span className="muted">{categoryOf(app)}</span>
            <StateChip state={state} />
          </p>
        </div>
      </div>
      {app.description !== undefined && app.description !== '' && <p className="lead">{app.description}</p>}

      <section className="panel" aria-labelledby="authorize-title">
        <h2 id="authorize-title">{t('authorize_title')}</h2>
        <ul className="connections">
          {authTypes.map((type) =>
            type === 'oauth2' ? (
              <OAuthRow
                key={type}
                app={app}
                onConnected={(connected, earlier) => onConnected(type, connected, earlier)}
                onDisconnected={onDisconnected}
              />
            ) : (
              <KeyRow
                key={type}
                app={app}
                isOnlyWay={authTypes.length === 1}
                onConnected={async (earlier) => onConnected(type, await api.getApp(app.slug), earlier)}
                onDisconnected={onDisconnected}
              />
            ),
          )}
        </ul>
        <div role="status">
          {replaced !== undefined && (
            <Notice tone="caution" title={t('account_changed', { app: app.name })}>
              {t('account_changed_text', replaced)}
            </Notice>
          )}
        </div>
      </section>

      {state !== 'none' && (
        <section className="panel" aria-labelledby="configuration-title">
          <h2 id="configuration-title">{t('configuration_title')}</h2>
          <ConfigSection slug={app.slug} />
        </section>
      )}
    </>
  );
}
