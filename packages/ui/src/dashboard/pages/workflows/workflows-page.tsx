import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { workflowsQuery } from '../../api/workflows.ts';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { WorkflowTable } from './workflow-table.tsx';

export function WorkflowsPage() {
  const environment = useEnvironment();
  const query = useQuery(workflowsQuery(environment));
  const create = (
    <Link
      className="button button-primary"
      to="/$environment/workflows/new"
      params={{ environment }}
      search={{}}
    >
      New workflow
    </Link>
  );
  return (
    <Page
      title="Workflows"
      lead="What happens, step by step, when an event of yours or of an app arrives."
      actions={create}
    >
      <Piece isFlush>
        <Loaded query={query}>
          {(workflows) =>
            workflows.length === 0 ? (
              <Empty icon="flow" title="No workflow yet" actions={create}>
                Start with the simplest one: when an event of your product arrives, do something in an app.
                You fill in a form, and add more steps later.
              </Empty>
            ) : (
              <WorkflowTable workflows={workflows} />
            )
          }
        </Loaded>
      </Piece>
    </Page>
  );
}
