import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Notice } from '#components/notice.tsx';
import { eventsQuery } from '../../api/events.ts';
import { ApiError, errorText } from '../../api/http.ts';
import {
  changeWorkflow,
  deleteWorkflow,
  publishWorkflow,
  unpublishWorkflow,
  type Workflow,
  type WorkflowDocument,
  workflowQuery,
  workflowsQuery,
} from '../../api/workflows.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Failure } from '../../parts/failure.tsx';
import { JsonEditor } from '../../parts/json-editor.tsx';
import { readJsonObject } from '../../parts/json-text.ts';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { SelectField, TextField } from '../../parts/text-field.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { Published } from './workflow-table.tsx';

/** One workflow: its document, what keeps it from going live, and its versions. */
export function WorkflowPage() {
  const environment = useEnvironment();
  const { workflowId } = useParams({ from: '/$environment/workflows/$workflowId' });
  const query = useQuery(workflowQuery(environment, workflowId));
  const [isDeleting, setDeleting] = useState(false);
  return (
    <Page
      title={query.data?.name ?? 'Workflow'}
      up={{ name: 'Workflows', link: { to: '/$environment/workflows', params: { environment } } }}
      actions={
        query.data && (
          <>
            <Button kind="plain" icon="trash" onClick={() => setDeleting(true)}>
              Delete
            </Button>
            <Publishing workflow={query.data} />
          </>
        )
      }
    >
      <Loaded query={query}>
        {(workflow) => (
          <div className="columns">
            <Editor key={workflow.draft_revision} workflow={workflow} />
            <Sidebar workflow={workflow} />
          </div>
        )}
      </Loaded>
      {isDeleting && query.data !== undefined && (
        <DeleteWorkflow workflow={query.data} onClose={() => setDeleting(false)} />
      )}
    </Page>
  );
}

function useStored() {
  const environment = useEnvironment();
  const queries = useQueryClient();
  return async (workflow: Workflow) => {
    queries.setQueryData(workflowQuery(environment, workflow.id).queryKey, workflow);
    await queries.invalidateQueries({ queryKey: [environment, 'workflows'], exact: true });
  };
}

function Publishing({ workflow }: { workflow: Workflow }) {
  const environment = useEnvironment();
  const store = useStored();
  const toast = useToast();
  const publish = useMutation({
    mutationFn: () => publishWorkflow(environment, workflow.id),
    onSuccess: (changed) => {
      toast(`Version ${changed.published_version ?? ''} is live`);
      return store(changed);
    },
  });
  const unpublish = useMutation({
    mutationFn: () => unpublishWorkflow(environment, workflow.id),
    onSuccess: (changed) => {
      toast('Taken out of service');
      return store(changed);
    },
  });
  const failure = publish.error ?? unpublish.error;
  return (
    <>
      <Published version={workflow.published_version} />
      {workflow.published_version !== null && (
        <Button isBusy={unpublish.isPending} onClick={() => unpublish.mutate()}>
          Unpublish
        </Button>
      )}
      <Button kind="primary" isBusy={publish.isPending} onClick={() => publish.mutate()}>
        Publish
      </Button>
      {failure !== null && (
        <Failure title="Not published">
          <Problems error={failure} />
        </Failure>
      )}
    </>
  );
}

function Problems({ error }: { error: Error }) {
  if (!(error instanceof ApiError) || error.problems.length === 0) return errorText(error);
  return (
    <ul>
      {error.problems.map((problem) => (
        <li key={`${problem.path} ${problem.message}`}>
          <code>{problem.path}</code> {problem.message}
        </li>
      ))}
    </ul>
  );
}

function Editor({ workflow }: { workflow: Workflow }) {
  const environment = useEnvironment();
  const store = useStored();
  const toast = useToast();
  const { data: events } = useQuery(eventsQuery(environment));
  const { nodes, edges, settings } = workflow.draft;
  const stored = JSON.stringify({ nodes, edges, settings: settings ?? {} }, null, 2);
  const [name, setName] = useState(workflow.name);
  const [text, setText] = useState(stored);
  const reading = readJsonObject(text);
  const isDirty = text !== stored || name !== workflow.name;
  const save = useMutation({
    mutationFn: () => {
      if (reading.problem !== undefined) throw new Error(reading.problem);
      return changeWorkflow(environment, workflow.id, {
        name,
        draft: reading.value as WorkflowDocument,
        draft_revision: workflow.draft_revision,
      });
    },
    onSuccess: (changed) => {
      toast('Draft saved');
      return store(changed);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reading.problem === undefined) save.mutate();
  };
  return (
    <form className="stack" onSubmit={submit}>
      <Piece title="Draft">
        <TextField label="Name" isRequired required value={name} onChange={setName} />
        <SelectField
          label="Starts with the event"
          placeholder="No event: by API call"
          value={reading.problem === undefined ? eventOf(reading.value) : ''}
          disabled={reading.problem !== undefined}
          onChange={(event) => {
            if (reading.problem === undefined)
              setText(JSON.stringify(withEvent(reading.value as WorkflowDocument, event), null, 2));
          }}
          options={(events ?? []).map((event) => ({ value: event.name, name: event.name }))}
        />
        <JsonEditor
          label="Document"
          help="Nodes and the edges between them. Values may hold templates such as {{event.email}} or {{node.2.body.id}}."
          text={text}
          onChange={setText}
          problem={reading.problem === undefined ? undefined : reading}
          rows={18}
        />
      </Piece>
      {save.isError && (
        <Failure title="Not saved">
          <Problems error={save.error} />
        </Failure>
      )}
      <div className="save-bar">
        {isDirty && <span className="muted">You have unsaved changes.</span>}
        <Button
          kind="primary"
          type="submit"
          disabled={!isDirty || reading.problem !== undefined}
          isBusy={save.isPending}
        >
          Save draft
        </Button>
      </div>
    </form>
  );
}

function startOf(document: unknown) {
  const { nodes } = document as Partial<WorkflowDocument>;
  return Array.isArray(nodes)
    ? (nodes as WorkflowDocument['nodes']).find((node) => node.node_type === 'start')
    : undefined;
}

function eventOf(document: unknown): string {
  const trigger = startOf(document)?.data?.['trigger'] as { event?: unknown } | undefined;
  return typeof trigger?.event === 'string' ? trigger.event : '';
}

/** The same document, started by another event or by API call. */
function withEvent(document: WorkflowDocument, event: string): WorkflowDocument {
  const start = startOf(document);
  const trigger = event === '' ? { kind: 'api_call' } : { kind: 'event', event };
  return {
    ...document,
    nodes: document.nodes.map((node) =>
      node === start ? { ...node, data: { ...node.data, trigger } } : node,
    ),
  };
}

function Sidebar({ workflow }: { workflow: Workflow }) {
  const environment = useEnvironment();
  return (
    <div className="stack">
      <Piece title="Checks" note="Of the saved draft.">
        {workflow.problems.length === 0 ? (
          <Notice tone="positive">Nothing keeps this draft from being published.</Notice>
        ) : (
          <Notice tone="caution" title="Before it can be published">
            <ul>
              {workflow.problems.map((problem) => (
                <li key={`${problem.path} ${problem.message}`}>
                  <code>{problem.path}</code> {problem.message}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        <Link to="/$environment/logs/executions" params={{ environment }} search={{ workflow: workflow.id }}>
          Executions of this workflow
        </Link>
      </Piece>
      <Piece title="Versions" isFlush>
        {workflow.versions.length === 0 ? (
          <Empty icon="clock" title="None yet">
            Each time you publish, the draft becomes a version. Runs that started with an older version finish
            with it.
          </Empty>
        ) : (
          <ul className="list-plain">
            {workflow.versions.map((version) => (
              <li key={version.version} className="row-between">
                <strong>Version {version.version}</strong>
                {version.version === workflow.published_version && <span className="muted small">live</span>}
                <span className="muted small">
                  <Time at={version.created_at} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </Piece>
    </div>
  );
}

function DeleteWorkflow({ workflow, onClose }: { workflow: Workflow; onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = async () => {
    await deleteWorkflow(environment, workflow.id);
    await navigate({ to: '/$environment/workflows', params: { environment } });
    queries.setQueryData(workflowsQuery(environment).queryKey, (old) =>
      old?.filter(({ id }) => id !== workflow.id),
    );
  };
  return (
    <Confirm title={`Delete “${workflow.name}”?`} verb="Delete workflow" onConfirm={remove} onClose={onClose}>
      <p>
        Its draft, versions and your customers’ switches for it are deleted. Runs that are under way finish.
        This cannot be taken back.
      </p>
    </Confirm>
  );
}
