import { type ReactNode, useCallback, useId, useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Button } from '#components/button.tsx';
import { categoryName } from '#components/category-name.ts';
import { Icon } from '#components/icon.tsx';
import { useResource } from '#components/use-resource.ts';
import type { Application } from '../api/wire.ts';
import { type ConnectionState, connectionState } from '../connection-state.ts';
import { t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';
import { Link } from '../router.tsx';
import { PageTitle } from './page-title.tsx';
import { ListSkeleton } from './skeletons.tsx';
import { StateChip } from './state-chip.tsx';
import { TroublePage } from './trouble-page.tsx';

/** All enabled apps with their state; search and category narrow them. */
export function ListPage() {
  const { api, session } = usePortal();
  const apps = useResource(useCallback((signal) => api.listApps(signal), [api]));
  const [query, setQuery] = useState('');
  const [category, setCategory] = useState('');
  const ids = useId();

  if (apps.data === undefined) {
    return apps.error === undefined || apps.isLoading ? (
      <ListSkeleton />
    ) : (
      <TroublePage error={apps.error} session={session} onRetry={apps.reload} />
    );
  }
  const categories = [...new Set(apps.data.map(categoryOf))].toSorted((a, b) => a.localeCompare(b));
  const shown = inOrder(apps.data).filter((app) => matches(app, query, category));
  const clear = () => {
    setQuery('');
    setCategory('');
  };
  const organization = session.organization.name;
  return (
    <div className="list">
      <PageTitle>{t('list_title')}</PageTitle>
      <p className="lead">
        {organization === '' ? t('list_intro_plain') : t('list_intro', { organization })}
      </p>
      {apps.data.length === 0 ? (
        <Empty title={t('list_empty_title')} text={t('list_empty_text')} />
      ) : (
        <>
          <search className="list-tools">
            <div className="search">
              <Icon name="search" />
              <input
                className="input"
                type="search"
                value={query}
                aria-label={t('search_label')}
                placeholder={t('search_label')}
                onChange={(event) => setQuery(event.target.value)}
              />
            </div>
            {categories.length > 1 && (
              <div className="select">
                <label className="only-heard" htmlFor={`${ids}-category`}>
                  {t('category_label')}
                </label>
                <select
                  id={`${ids}-category`}
                  className="input"
                  value={category}
                  onChange={(event) => setCategory(event.target.value)}
                >
                  <option value="">{t('category_all')}</option>
                  {categories.map((name) => (
                    <option key={name}>{name}</option>
                  ))}
                </select>
                <Icon name="chevronDown" />
              </div>
            )}
          </search>
          <p className="only-heard" role="status">
            {query === '' && category === '' ? '' : t('list_count', { count: shown.length })}
          </p>
          {shown.length === 0 ? (
            <Empty title={t('list_no_match_title')} text={t('list_no_match_text')}>
              <Button onClick={clear}>{t('clear_search')}</Button>
            </Empty>
          ) : (
            <ul className="cards" aria-label={t('list_label')}>
              {shown.map((app) => (
                <li key={app.app_id}>
                  <AppCard app={app} />
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </div>
  );
}

function AppCard({ app }: { app: Application }) {
  const state = connectionState(app);
  return (
    <Link className="card" to={{ page: 'app', slug: app.slug }}>
      <AppLogo name={app.name} src={app.icon} />
      <span className="card-text">
        <span className="card-name">{app.name}</span>
        <span className="card-category">{categoryOf(app)}</span>
      </span>
      <StateChip state={state} isNoneSilent />
      <Icon name="arrowRight" />
    </Link>
  );
}

function Empty({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </div>
  );
}

export function categoryOf(app: Application): string {
  const tag = app.tags?.[0]?.trim();
  if (tag === undefined || tag === '') return t('uncategorised');
  return categoryName(tag);
}

function matches(app: Application, query: string, category: string): boolean {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [app.name, app.description, ...(app.tags ?? [])].join(' ').toLowerCase();
  return words.every((word) => text.includes(word)) && (category === '' || categoryOf(app) === category);
}

const order: Record<ConnectionState, number> = { connected: 0, expired: 1, none: 2 };

function inOrder(apps: readonly Application[]): readonly Application[] {
  return apps.toSorted(
    (a, b) => order[connectionState(a)] - order[connectionState(b)] || a.name.localeCompare(b.name),
  );
}
