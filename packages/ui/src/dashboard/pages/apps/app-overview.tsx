import { useQuery } from '@tanstack/react-query';
import type { AppAction, AppDetail } from '../../api/apps.ts';
import { organizationQuery } from '../../api/organization.ts';
import { CodeTabs } from '../../parts/code.tsx';
import { CopyLine } from '../../parts/copy.tsx';
import { Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useApp } from './app-layout.tsx';
import { categoryName } from '#components/category-name.ts';

const authNames = { oauth2: 'OAuth 2.0', keybased: 'API key' };

/** What an app can do, and how to bring it into one's own product. */
export function AppOverview() {
  return <Loaded query={useApp()}>{(app) => <Overview app={app} />}</Loaded>;
}

function Overview({ app }: { app: AppDetail }) {
  const groups = Map.groupBy(app.actions, (action) => action.group);
  return (
    <div className="columns">
      <div className="stack">
        <Piece title="Actions" note="What a workflow or a call of yours can do for a linked account." isFlush>
          <ul className="list-plain">
            {[...groups].map(([group, actions]) => (
              <li key={group}>
                <h3>{group}</h3>
                <ul className="action-list">
                  {actions.map((action) => (
                    <ActionLine key={action.id} action={action} />
                  ))}
                </ul>
              </li>
            ))}
          </ul>
        </Piece>
        {app.triggers.length > 0 && (
          <Piece title="Triggers" note="What happens in the app and can start a workflow." isFlush>
            <ul className="list-plain">
              {app.triggers.map((trigger) => (
                <li key={trigger.id}>
                  <div className="row">
                    <strong>{trigger.label}</strong>
                    <span className="muted small">
                      {trigger.kind === 'poll' ? 'asked for regularly' : 'sent by the app'}
                    </span>
                  </div>
                  <p className="muted small">{trigger.help}</p>
                </li>
              ))}
            </ul>
          </Piece>
        )}
      </div>
      <div className="stack">
        <Piece title="About">
          <dl className="facts">
            <dt>Slug</dt>
            <dd>
              <CopyLine value={app.slug} what="slug" />
            </dd>
            <dt>Ways to connect</dt>
            <dd>{app.auth_types.map((type) => authNames[type]).join(', ')}</dd>
            <dt>Categories</dt>
            <dd>{app.categories.map(categoryName).join(', ') || 'Uncategorised'}</dd>
            <dt>Connections</dt>
            <dd>{app.connections}</dd>
          </dl>
        </Piece>
        <Snippet app={app} />
      </div>
    </div>
  );
}

function ActionLine({ action }: { action: AppAction }) {
  return (
    <li>
      {action.label} <code className="muted">{action.id}</code>
      <p>{action.help}</p>
    </li>
  );
}

function Snippet({ app }: { app: AppDetail }) {
  const { data: organization } = useQuery(organizationQuery);
  const origin = window.location.origin;
  return (
    <Piece
      title="Add it to your product"
      note={`A Connect button for ${app.name} in ${organization?.name ?? 'your product'}.`}
    >
      <CodeTabs
        label="How to add this integration"
        snippets={[
          {
            name: 'JavaScript',
            code: [
              `import { Cobalt } from '@cobaltio/cobalt-js';`,
              ``,
              `const inlay = new Cobalt({`,
              `  token: sessionToken, // from your server`,
              `  baseUrl: '${origin}',`,
              `});`,
              `await inlay.connect('${app.slug}');`,
            ].join('\n'),
          },
          {
            name: 'cURL',
            code: [
              `curl '${origin}/api/v2/public/application/${app.slug}' \\`,
              `  --header 'x-api-key: YOUR_API_KEY' \\`,
              `  --header 'linked_account_id: YOUR_CUSTOMER_ID'`,
            ].join('\n'),
          },
        ]}
      />
    </Piece>
  );
}
