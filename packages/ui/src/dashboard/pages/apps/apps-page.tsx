import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { type AppSummary, appsQuery } from '../../api/apps.ts';
import { Page } from '../../parts/page.tsx';
import { Empty, Loaded, Loading } from '../../parts/states.tsx';
import { SelectBox } from '../../parts/text-field.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { categoryName } from '#components/category-name.ts';

/** The catalogue: what can be connected, and what is switched on here. */
export function AppsPage() {
  const environment = useEnvironment();
  const query = useQuery(appsQuery(environment));
  return (
    <Page
      title="Apps"
      lead="Enable an app and your users find it in the hosted page and in your own screens."
    >
      <Loaded query={query} loading={<Loading lines={3} height={96} />}>
        {(apps) => <Catalogue apps={apps} />}
      </Loaded>
    </Page>
  );
}

function Catalogue({ apps }: { apps: readonly AppSummary[] }) {
  const environment = useEnvironment();
  const [text, setText] = useState('');
  const [isEnabledOnly, setEnabledOnly] = useState(false);
  const [category, setCategory] = useState('');
  const search = useRef<HTMLInputElement>(null);
  useSlash(search);

  const needle = text.trim().toLowerCase();
  const shown = apps.filter(
    (app) =>
      (!isEnabledOnly || app.is_enabled) &&
      (category === '' || app.categories.includes(category)) &&
      `${app.name} ${app.slug} ${app.description}`.toLowerCase().includes(needle),
  );
  const categories = [...new Set(apps.flatMap((app) => app.categories))].toSorted();
  const clear = () => {
    setText('');
    setEnabledOnly(false);
    setCategory('');
  };
  return (
    <>
      <div className="toolbar" role="search">
        <div className="search">
          <Icon name="search" />
          <input
            ref={search}
            className="input"
            type="text"
            aria-label="Search apps"
            placeholder="Search apps"
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <kbd aria-hidden="true">/</kbd>
        </div>
        <SegmentedControl
          aria-label="Which apps"
          value={isEnabledOnly ? 'enabled' : 'all'}
          onChange={(value) => setEnabledOnly(value === 'enabled')}
          data={[
            { value: 'all', label: 'All' },
            { value: 'enabled', label: 'Enabled' },
          ]}
        />
        <label className="filter">
          <span className="only-heard">Category</span>
          <SelectBox
            value={category}
            onChange={setCategory}
            placeholder="Every category"
            options={categories.map((value) => ({ value, name: categoryName(value) }))}
          />
        </label>
        <span className="muted small" role="status">
          {shown.length} of {apps.length}
        </span>
      </div>
      {shown.length === 0 ? (
        <Empty
          icon="search"
          title={isEnabledOnly && needle === '' ? 'No app is enabled here yet' : 'No app matches'}
          actions={<Button onClick={clear}>Show all apps</Button>}
        >
          {isEnabledOnly && needle === ''
            ? 'Open an app and choose Go live: it then appears to your users in this environment.'
            : 'Try another word, or another category.'}
        </Empty>
      ) : (
        <ul className="app-grid">
          {shown.map((app) => (
            <li key={app.slug}>
              <Link
                to="/$environment/apps/$slug"
                params={{ environment, slug: app.slug }}
                className={app.is_enabled ? 'app-card app-card-on' : 'app-card'}
              >
                <AppLogo name={app.name} src={app.icon} />
                <div>
                  <h2>{app.name}</h2>
                  <p>{app.description}</p>
                  {app.is_enabled && (
                    <span className="chip chip-connected">
                      <Icon name="check" />
                      Enabled
                    </span>
                  )}
                </div>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The key `/` goes to the search field, except while somebody types elsewhere. */
function useSlash(field: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) || at.isContentEditable) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [field]);
}
