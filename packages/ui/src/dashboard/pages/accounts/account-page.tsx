import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Button } from '#components/button.tsx';
import {
  accountDetailQuery,
  accountQuery,
  type Connection,
  type ConnectionLogEntry,
  deleteAccount,
  type LinkedAccount,
  type StoredConfig,
} from '../../api/accounts.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { CopyLine } from '../../parts/copy.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { HostedLink } from './hosted-link.tsx';

/** One customer: what is connected, what happened, what was chosen. */
export function AccountPage() {
  const environment = useEnvironment();
  const { accountId } = useParams({ from: '/$environment/linked-accounts/$accountId' });
  const account = useQuery(accountQuery(environment, accountId));
  const detail = useQuery(accountDetailQuery(environment, accountId));
  const [open, setOpen] = useState<'link' | 'delete'>();
  return (
    <Page
      title={account.data?.name ?? accountId}
      up={{ name: 'Linked accounts', link: { to: '/$environment/linked-accounts', params: { environment } } }}
      actions={
        account.data && (
          <>
            <Button kind="plain" icon="trash" onClick={() => setOpen('delete')}>
              Delete
            </Button>
            <Button kind="primary" icon="link" onClick={() => setOpen('link')}>
              Get hosted URL
            </Button>
          </>
        )
      }
    >
      <div className="columns">
        <div className="stack">
          <Piece title="Connections" isFlush>
            <Loaded query={detail}>
              {({ connections }) => <Connections connections={connections} onLink={() => setOpen('link')} />}
            </Loaded>
          </Piece>
          {detail.data !== undefined && detail.data.configs.length > 0 && (
            <Configs configs={detail.data.configs} />
          )}
          {detail.data !== undefined && <Log entries={detail.data.log} />}
        </div>
        <Piece title="About">
          <Loaded query={account}>{(data) => <About account={data} />}</Loaded>
        </Piece>
      </div>
      {open === 'link' && <HostedLink accountId={accountId} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && <DeleteAccount accountId={accountId} onClose={() => setOpen(undefined)} />}
    </Page>
  );
}

function Connections({ connections, onLink }: { connections: readonly Connection[]; onLink: () => void }) {
  const environment = useEnvironment();
  if (connections.length === 0) {
    return (
      <Empty
        icon="link"
        title="Nothing is connected yet"
        actions={
          <Button icon="link" onClick={onLink}>
            Get hosted URL
          </Button>
        }
      >
        Send this customer to the hosted page, or show a Connect button in your own product. Every app that
        you enabled can be connected there.
      </Empty>
    );
  }
  return (
    <ul className="list-plain">
      {connections.map((connection) => (
        <li key={connection.id} className="stack-tight">
          <div className="row">
            <AppLogo name={connection.app.name} src={connection.app.icon} />
            <div className="grow">
              <Link to="/$environment/apps/$slug" params={{ environment, slug: connection.app.slug }}>
                {connection.app.name}
              </Link>
              <p className="muted small">
                {connection.identifier ?? 'No identifier'} ·{' '}
                {connection.auth_type === 'oauth2' ? 'OAuth 2.0' : 'API key'} · connected{' '}
                <Time at={connection.connected_at} />
              </p>
            </div>
            {connection.status === 'active' ? (
              <Status tone="positive" icon="check">
                Active
              </Status>
            ) : (
              <Status tone="caution" icon="alert">
                Expired
              </Status>
            )}
          </div>
          {connection.status_reason !== null && <p className="small">{connection.status_reason}</p>}
          {connection.granted_scopes !== null && connection.granted_scopes.length > 0 && (
            <p className="muted small">
              May: <code>{connection.granted_scopes.join('  ')}</code>
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}

const logWords: Readonly<Record<string, string>> = {
  created: 'Connected',
  reauthenticated: 'Connected again',
  expired: 'Expired',
  failed: 'Connecting failed',
  deleted: 'Disconnected',
  account_changed: 'Connected with another account',
};

function Log({ entries }: { entries: readonly ConnectionLogEntry[] }) {
  if (entries.length === 0) return null;
  return (
    <Piece title="What happened" isFlush>
      <ul className="list-plain">
        {entries.map((entry) => (
          <li key={entry.id}>
            <div className="row-between">
              <span>
                <strong>{entry.app.name}</strong> · {logWords[entry.event] ?? entry.event}
              </span>
              <span className="muted small">
                <Time at={entry.created_at} isExact />
              </span>
            </div>
            {Object.entries(entry.detail).map(([name, value]) => (
              <p key={name} className="muted small">
                {name}: {typeof value === 'string' ? value : JSON.stringify(value)}
              </p>
            ))}
          </li>
        ))}
      </ul>
    </Piece>
  );
}

function Configs({ configs }: { configs: readonly StoredConfig[] }) {
  return (
    <Piece title="Chosen settings" note="What the customer chose in the hosted page or your screens." isFlush>
      <ul className="list-plain">
        {configs.map((config) => (
          <li key={`${config.app.slug} ${config.config_id}`} className="stack-tight">
            <div className="row-between">
              <strong>{config.app.name}</strong>
              <code className="muted">{config.config_id}</code>
            </div>
            <dl className="facts">
              {config.values.map((field) => (
                <div key={field.name} className="row">
                  <dt>{field.name}</dt>
                  <dd>{typeof field.value === 'string' ? field.value : JSON.stringify(field.value)}</dd>
                </div>
              ))}
            </dl>
            {config.workflows.map((workflow) => (
              <div key={workflow.id} className="row">
                {workflow.is_enabled ? (
                  <Status tone="positive" icon="check">
                    On
                  </Status>
                ) : (
                  <Status tone="neutral" icon="stop">
                    Off
                  </Status>
                )}
                {workflow.name}
              </div>
            ))}
          </li>
        ))}
      </ul>
    </Piece>
  );
}

function About({ account }: { account: LinkedAccount }) {
  const environment = useEnvironment();
  return (
    <>
      <dl className="facts">
        <dt>Id</dt>
        <dd>
          <CopyLine value={account.account_id} what="account id" />
        </dd>
        <dt>Linked</dt>
        <dd>
          <Time at={account.createdAt} isExact />
        </dd>
        {account.udf.map((field) => (
          <Fact key={field.key_name} name={field.key_name} value={field.key_value} />
        ))}
      </dl>
      <Link
        to="/$environment/logs/executions"
        params={{ environment }}
        search={{ account: account.account_id }}
      >
        Executions of this account
      </Link>
    </>
  );
}

function Fact({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
    </>
  );
}

function DeleteAccount({ accountId, onClose }: { accountId: string; onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const remove = async () => {
    await deleteAccount(environment, accountId);
    // Lists that still hold it must not be shown again, not even while they reload.
    queries.removeQueries({ queryKey: [environment, 'linked-accounts'] });
    await navigate({ to: '/$environment/linked-accounts', params: { environment } });
    toast(`${accountId} is deleted`);
    queries.removeQueries({ queryKey: [environment, 'linked-account', accountId] });
  };
  return (
    <Confirm title={`Delete ${accountId}?`} verb="Delete account" onConfirm={remove} onClose={onClose}>
      <p>
        Its connections, settings and session tokens are deleted as well, and the customer has to connect
        every app again. This cannot be taken back.
      </p>
    </Confirm>
  );
}
