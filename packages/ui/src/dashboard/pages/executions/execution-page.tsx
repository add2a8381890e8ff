import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { Notice } from '#components/notice.tsx';
import {
  type Execution,
  executionQuery,
  finalStatuses,
  type NodeRun,
  rerunExecution,
  stopExecution,
} from '../../api/executions.ts';
import { CopyLine } from '../../parts/copy.tsx';
import { Failure } from '../../parts/failure.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { RunStatus } from '../../parts/status.tsx';
import { duration, Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';

/** One run: its steps in order, with what went in and came out of each. */
export function ExecutionPage() {
  const environment = useEnvironment();
  const { executionId } = useParams({ from: '/$environment/logs/executions/$executionId' });
  const query = useQuery(executionQuery(environment, executionId));
  return (
    <Page
      title={query.data?.workflow.name ?? 'Execution'}
      up={{ name: 'Executions', link: { to: '/$environment/logs/executions', params: { environment } } }}
      actions={query.data && <Verbs execution={query.data} />}
    >
      <Loaded query={query}>
        {(execution) => (
          <div className="stack">
            <Summary execution={execution} />
            {execution.error !== null && (
              <Notice tone="danger" title="Why it failed">
                {execution.error}
              </Notice>
            )}
            <Piece title="Steps" isFlush>
              <ol className="run">
                {execution.nodes.map((node) => (
                  <Step key={node.node_id} node={node} />
                ))}
              </ol>
            </Piece>
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function Verbs({ execution }: { execution: Execution }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const isFinal = finalStatuses.has(execution.status);
  const stop = useMutation({
    mutationFn: () => stopExecution(environment, execution.id),
    onSuccess: () => {
      toast('The execution will stop after the step that runs');
      return queries.invalidateQueries({ queryKey: [environment, 'execution', execution.id] });
    },
  });
  const rerun = useMutation({
    mutationFn: () => rerunExecution(environment, execution.id),
    onSuccess: async ({ id }) => {
      toast('Started again with the same data');
      await navigate({
        to: '/$environment/logs/executions/$executionId',
        params: { environment, executionId: id },
      });
    },
  });
  const failure = stop.error ?? rerun.error;
  return (
    <>
      {isFinal ? (
        <Button icon="refresh" isBusy={rerun.isPending} onClick={() => rerun.mutate()}>
          Rerun
        </Button>
      ) : (
        <Button
          kind="danger"
          icon="stop"
          isBusy={stop.isPending || execution.is_stopping}
          onClick={() => stop.mutate()}
        >
          {execution.is_stopping ? 'Stopping' : 'Stop'}
        </Button>
      )}
      {failure !== null && <Failure error={failure} />}
    </>
  );
}

function Summary({ execution }: { execution: Execution }) {
  const environment = useEnvironment();
  return (
    <Piece>
      <dl className="facts">
        <dt>Status</dt>
        <dd>
          <span role="status">
            <RunStatus status={execution.status} />
          </span>
        </dd>
        <dt>Linked account</dt>
        <dd>
          <Link
            to="/$environment/linked-accounts/$accountId"
            params={{ environment, accountId: execution.linked_account_id }}
          >
            {execution.linked_account_id}
          </Link>
        </dd>
        <dt>Workflow</dt>
        <dd>
          <Link
            to="/$environment/workflows/$workflowId"
            params={{ environment, workflowId: execution.workflow.id }}
          >
            {execution.workflow.name}
          </Link>{' '}
          {execution.version === null ? '(draft)' : `(version ${execution.version})`}
        </dd>
        <dt>Started by</dt>
        <dd>{execution.event ?? execution.source}</dd>
        <dt>Started</dt>
        <dd>
          <Time at={execution.created_at} isExact />
        </dd>
        <dt>Duration</dt>
        <dd>{duration(execution.duration_ms)}</dd>
        <dt>Execution ID</dt>
        <dd>
          <CopyLine value={execution.id} what="execution id" />
        </dd>
      </dl>
    </Piece>
  );
}

function Step({ node }: { node: NodeRun }) {
  const [isOpen, setOpen] = useState(node.error !== null);
  return (
    <li className="run-node">
      <button type="button" className="run-head" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name="arrowRight" />
        <span className="run-name">
          {node.name} <code className="muted">{node.node_type}</code>
        </span>
        {node.attempts > 1 && <span className="muted small">{node.attempts} attempts</span>}
        <span className="muted small">{duration(node.duration_ms)}</span>
        <RunStatus status={node.status} />
      </button>
      {isOpen && (
        <div className="run-values">
          {node.error !== null && (
            <div className="wide">
              <Notice tone="danger">{node.error.message}</Notice>
            </div>
          )}
          <JsonTree value={node.input} what="Input" />
          <JsonTree value={node.output} what="Output" />
        </div>
      )}
    </li>
  );
}
