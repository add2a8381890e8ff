import { Link } from '@tanstack/react-router';
import type { WorkflowSummary } from '../../api/workflows.ts';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { Time } from '../../parts/time.tsx';
import { useEnvironment } from '../../shell/environment.ts';

export function WorkflowTable({ workflows }: { workflows: readonly WorkflowSummary[] }) {
  const environment = useEnvironment();
  return (
    <Table columns={['Workflow', 'State', 'Starts with', 'App', 'Changed']}>
      {workflows.map((workflow) => (
        <tr key={workflow.id} data-href>
          <td>
            <Link to="/$environment/workflows/$workflowId" params={{ environment, workflowId: workflow.id }}>
              {workflow.name}
            </Link>
          </td>
          <td>
            <Published version={workflow.published_version} />
          </td>
          <td>{workflow.trigger?.event ?? 'An API call'}</td>
          <td>{workflow.app_slug ?? <span className="muted">internal</span>}</td>
          <td>
            <Time at={workflow.updated_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** Whether a workflow runs, and which version of it. */
export function Published({ version }: { version: number | null }) {
  return version === null ? (
    <Status tone="neutral" icon="pencil">
      Draft
    </Status>
  ) : (
    <Status tone="positive" icon="check">
      {`Published, version ${version}`}
    </Status>
  );
}
