import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { AppDetail } from '../../api/apps.ts';
import { workflowsQuery } from '../../api/workflows.ts';
import { Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { WorkflowTable } from '../workflows/workflow-table.tsx';
import { useApp } from './app-layout.tsx';

export function AppWorkflows() {
  return <Loaded query={useApp()}>{(app) => <Workflows app={app} />}</Loaded>;
}

function Workflows({ app }: { app: AppDetail }) {
  const environment = useEnvironment();
  const query = useQuery(workflowsQuery(environment));
  const create = (
    <Link
      className="button button-primary"
      to="/$environment/workflows/new"
      params={{ environment }}
      search={{ app: app.slug }}
    >
      New workflow
    </Link>
  );
  return (
    <Piece
      title="Workflows"
      note={`What your customers can switch on once they connected ${app.name}.`}
      actions={create}
      isFlush
    >
      <Loaded query={query}>
        {(workflows) => {
          const own = workflows.filter((workflow) => workflow.app_slug === app.slug);
          return own.length === 0 ? (
            <Empty icon="flow" title="No workflow uses this app yet">
              A workflow starts with an event of yours and does something in {app.name}, for example: when a
              contact is created in your product, create it there too.
            </Empty>
          ) : (
            <WorkflowTable workflows={own} />
          );
        }}
      </Loaded>
    </Piece>
  );
}
