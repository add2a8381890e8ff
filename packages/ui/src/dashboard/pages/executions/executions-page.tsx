import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Button } from '#components/button.tsx';
import { accountsQuery } from '../../api/accounts.ts';
import { type ExecutionFilter, type ExecutionSummary, executionsQuery } from '../../api/executions.ts';
import { workflowsQuery } from '../../api/workflows.ts';
import { Page } from '../../parts/page.tsx';
import { PagedList } from '../../parts/paged-list.tsx';
import { Empty } from '../../parts/states.tsx';
import { RunStatus } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { SelectBox } from '../../parts/text-field.tsx';
import { duration, Time } from '../../parts/time.tsx';
import { useEnvironment } from '../../shell/environment.ts';

const statuses = [
  { value: 'COMPLETED', name: 'Completed' },
  { value: 'ERRORED', name: 'Errored' },
  { value: 'RUNNING', name: 'Running' },
  { value: 'QUEUED', name: 'Queued' },
  { value: 'WAITING', name: 'Waiting' },
  { value: 'STOPPED', name: 'Stopped' },
  { value: 'TIMED_OUT', name: 'Timed out' },
];

/** Every run of every workflow; the filters are in the address, so that a finding can be sent to a colleague. */
export function ExecutionsPage() {
  const environment = useEnvironment();
  const filter = useSearch({ from: '/$environment/logs/executions' });
  const navigate = useNavigate({ from: '/$environment/logs/executions' });
  const query = useQuery(executionsQuery(environment, filter));
  const isFiltered = Object.keys(filter).some((name) => name !== 'page');
  const change = (part: Partial<Record<keyof ExecutionFilter, string>>) => {
    const { page: _first, ...rest } = filter;
    const next = Object.fromEntries(Object.entries({ ...rest, ...part }).filter(([, value]) => value !== ''));
    void navigate({ search: next, replace: true });
  };
  return (
    <Page
      title="Executions"
      lead="Every run of a workflow, newest first."
      actions={
        <Button icon="refresh" isBusy={query.isFetching} onClick={() => void query.refetch()}>
          Refresh
        </Button>
      }
    >
      <Filters filter={filter} onChange={change} onClear={() => void navigate({ search: {} })} />
      <PagedList
        query={query}
        onPage={(number) => void navigate({ search: { ...filter, page: number } })}
        empty={
          isFiltered ? (
            <Empty icon="search" title="No execution matches these filters">
              Widen the time, or clear the filters.
            </Empty>
          ) : (
            <Empty icon="list" title="Nothing has run yet">
              Publish a workflow, switch it on for a linked account and send its event. Each run appears here
              with the input and output of every step.
            </Empty>
          )
        }
      >
        {(executions) => <ExecutionTable executions={executions} />}
      </PagedList>
    </Page>
  );
}

interface FiltersProps {
  readonly filter: ExecutionFilter;
  readonly onChange: (part: Partial<Record<keyof ExecutionFilter, string>>) => void;
  readonly onClear: () => void;
}

function Filters({ filter, onChange, onClear }: FiltersProps) {
  const environment = useEnvironment();
  const { data: workflows } = useQuery(workflowsQuery(environment));
  const { data: accounts } = useQuery(accountsQuery(environment, {}));
  const known = (accounts?.docs ?? []).map(({ account_id, name }) => ({
    value: account_id,
    name: name ?? account_id,
  }));
  const asked = filter.account;
  const accountOptions =
    asked === undefined || known.some(({ value }) => value === asked)
      ? known
      : [{ value: asked, name: asked }, ...known];
  return (
    <div className="toolbar" role="search">
      <label className="filter">
        Status
        <SelectBox
          value={filter.status ?? ''}
          onChange={(status) => onChange({ status })}
          placeholder="Any"
          options={statuses}
        />
      </label>
      <label className="filter">
        Workflow
        <SelectBox
          value={filter.workflow ?? ''}
          onChange={(workflow) => onChange({ workflow })}
          placeholder="Any"
          options={(workflows ?? []).map(({ id, name }) => ({ value: id, name }))}
        />
      </label>
      <label className="filter">
        Linked account
        <SelectBox
          value={asked ?? ''}
          onChange={(account) => onChange({ account })}
          placeholder="Any"
          options={accountOptions}
        />
      </label>
      <label className="filter">
        From
        <input
          className="input"
          type="datetime-local"
          value={filter.from ?? ''}
          onChange={(event) => onChange({ from: event.target.value })}
        />
      </label>
      <label className="filter">
        To
        <input
          className="input"
          type="datetime-local"
          value={filter.to ?? ''}
          onChange={(event) => onChange({ to: event.target.value })}
        />
      </label>
      {Object.keys(filter).length > 0 && (
        <Button kind="plain" icon="cross" onClick={onClear}>
          Clear
        </Button>
      )}
    </div>
  );
}

function ExecutionTable({ executions }: { executions: readonly ExecutionSummary[] }) {
  const environment = useEnvironment();
  return (
    <Table columns={['Workflow', 'Status', 'Linked account', 'Started by', 'Duration', 'When']}>
      {executions.map((execution) => (
        <tr key={execution.id} data-href>
          <td>
            <Link
              to="/$environment/logs/executions/$executionId"
              params={{ environment, executionId: execution.id }}
            >
              {execution.workflow.name}
            </Link>
          </td>
          <td>
            <RunStatus status={execution.status} />
          </td>
          <td>
            <code>{execution.linked_account_id}</code>
          </td>
          <td>{execution.event ?? execution.source}</td>
          <td className="nowrap">{duration(execution.duration_ms)}</td>
          <td>
            <Time at={execution.created_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}
