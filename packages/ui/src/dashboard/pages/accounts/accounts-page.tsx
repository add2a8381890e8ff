import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { accountsQuery, type LinkedAccount } from '../../api/accounts.ts';
import { Page } from '../../parts/page.tsx';
import { PagedList } from '../../parts/paged-list.tsx';
import { Empty } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { AddAccount } from './add-account.tsx';

const typingPauseMs = 250;

/** Your customers, as this environment knows them. */
export function AccountsPage() {
  const environment = useEnvironment();
  const filter = useSearch({ from: '/$environment/linked-accounts' });
  const navigate = useNavigate({ from: '/$environment/linked-accounts' });
  const query = useQuery(accountsQuery(environment, filter));
  const [text, setText] = useState(filter.search ?? '');
  const [isAdding, setAdding] = useState(false);
  useEffect(() => {
    if (text === (filter.search ?? '')) return undefined;
    const timer = setTimeout(
      () => void navigate({ search: text === '' ? {} : { search: text }, replace: true }),
      typingPauseMs,
    );
    return () => clearTimeout(timer);
  }, [text, filter.search, navigate]);
  const add = (
    <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
      Add account
    </Button>
  );
  return (
    <Page
      title="Linked accounts"
      lead="One linked account for each of your customers. It holds their connections and settings."
      actions={add}
    >
      <div className="toolbar" role="search">
        <div className="search">
          <Icon name="search" />
          <input
            className="input"
            aria-label="Search linked accounts"
            placeholder="Search by name or id"
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
      </div>
      <PagedList
        query={query}
        onPage={(number) => void navigate({ search: { ...filter, page: number } })}
        empty={
          filter.search === undefined ? (
            <Empty icon="people" title="No linked account yet" actions={add}>
              Your server makes one when a customer signs up, with the id that you use for that customer. To
              try things out, add one here.
            </Empty>
          ) : (
            <Empty icon="search" title={`Nobody matches “${filter.search}”`}>
              The search looks at names and ids.
            </Empty>
          )
        }
      >
        {(accounts) => <AccountTable accounts={accounts} />}
      </PagedList>
      {isAdding && <AddAccount onClose={() => setAdding(false)} />}
    </Page>
  );
}

function AccountTable({ accounts }: { accounts: readonly LinkedAccount[] }) {
  const environment = useEnvironment();
  return (
    <Table columns={['Account', 'Id', 'Connections', 'Linked']}>
      {accounts.map((account) => (
        <tr key={account._id} data-href>
          <td>
            <Link
              to="/$environment/linked-accounts/$accountId"
              params={{ environment, accountId: account.account_id }}
            >
              {account.name ?? account.account_id}
            </Link>
          </td>
          <td>
            <code>{account.account_id}</code>
          </td>
          <td>{connectionCount(account.integrations?.length ?? 0)}</td>
          <td>
            <Time at={account.createdAt} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function connectionCount(count: number): string {
  if (count === 0) return 'None';
  return count === 1 ? '1 connection' : `${count} connections`;
}
