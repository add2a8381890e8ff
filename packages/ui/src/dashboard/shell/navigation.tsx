import { Link } from '@tanstack/react-router';
import { Icon, type IconName } from '#components/icon.tsx';
import { type MainPage, useEnvironment } from './environment.ts';

interface Entry {
  readonly name: string;
  readonly icon: IconName;
  readonly to: MainPage;
  /** Only this very page, not the pages below it. */
  readonly isExact?: boolean;
}

const groups: readonly { readonly name?: string; readonly entries: readonly Entry[] }[] = [
  {
    entries: [
      { name: 'Getting started', icon: 'home', to: '/$environment', isExact: true },
      { name: 'Apps', icon: 'apps', to: '/$environment/apps' },
      { name: 'Linked accounts', icon: 'people', to: '/$environment/linked-accounts' },
      { name: 'Workflows', icon: 'flow', to: '/$environment/workflows' },
    ],
  },
  {
    name: 'Your App',
    entries: [
      { name: 'Setup', icon: 'box', to: '/$environment/your-app/setup' },
      { name: 'Events', icon: 'external', to: '/$environment/your-app/events' },
      { name: 'Variables', icon: 'list', to: '/$environment/your-app/variables' },
    ],
  },
  {
    name: 'Logs',
    entries: [{ name: 'Executions', icon: 'list', to: '/$environment/logs/executions' }],
  },
  {
    name: 'Settings',
    entries: [
      { name: 'Organisation', icon: 'settings', to: '/$environment/settings/organisation' },
      { name: 'API keys', icon: 'shield', to: '/$environment/settings/api-keys' },
      { name: 'Your account', icon: 'people', to: '/$environment/settings/account' },
    ],
  },
];

export function Navigation({ onNavigate }: { onNavigate?: () => void }) {
  const environment = useEnvironment();
  return (
    <nav className="nav" aria-label="Main">
      {groups.map((group) => (
        <div key={group.name ?? 'main'}>
          {group.name !== undefined && <div className="nav-group">{group.name}</div>}
          <ul aria-label={group.name}>
            {group.entries.map((entry) => (
              <li key={entry.name}>
                <Link
                  to={entry.to}
                  params={{ environment }}
                  className="nav-link"
                  activeOptions={{ exact: entry.isExact ?? false, includeSearch: false }}
                  activeProps={{ 'aria-current': 'page' }}
                  onClick={onNavigate}
                >
                  <Icon name={entry.icon} />
                  {entry.name}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
