import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { Button } from '#components/button.tsx';
import { type AppAction, appQuery, type AppSummary, appsQuery } from '../../api/apps.ts';
import { eventsQuery, type OrgEvent } from '../../api/events.ts';
import { createWorkflow, workflowsQuery } from '../../api/workflows.ts';
import { Failure } from '../../parts/failure.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { SelectBox, SelectField, TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { eventTemplates, guessParameters, starterDocument } from './starter-document.ts';

/** A workflow by form: when this event arrives, do that in an app. */
export function NewWorkflowPage() {
  const environment = useEnvironment();
  const apps = useQuery(appsQuery(environment));
  const events = useQuery(eventsQuery(environment));
  return (
    <Page
      title="New workflow"
      lead="When an event of your product arrives, do something in an app. You can change everything later."
      up={{ name: 'Workflows', link: { to: '/$environment/workflows', params: { environment } } }}
    >
      <Loaded query={events}>
        {(eventList) => (
          <Loaded query={apps}>
            {(appList) => <Starter events={eventList} apps={appList.filter((app) => app.is_enabled)} />}
          </Loaded>
        )}
      </Loaded>
    </Page>
  );
}

function Starter({ events, apps }: { events: readonly OrgEvent[]; apps: readonly AppSummary[] }) {
  const environment = useEnvironment();
  const search = useSearch({ from: '/$environment/workflows/new' });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const [name, setName] = useState('');
  const [eventName, setEventName] = useState(
    search.event ?? (events.length === 1 ? (events[0]?.name ?? '') : ''),
  );
  const [slug, setSlug] = useState(search.app ?? (apps.length === 1 ? (apps[0]?.slug ?? '') : ''));
  const [actionId, setActionId] = useState('');
  const [parameters, setParameters] = useState<Record<string, string>>({});
  const app = useQuery({ ...appQuery(environment, slug), enabled: slug !== '' });

  const templates = eventTemplates(events.find((event) => event.name === eventName)?.sample);
  const action = app.data?.actions.find(({ id }) => id === actionId);
  const suggested =
    action === undefined || eventName === ''
      ? ''
      : `${eventName}: ${action.label} in ${app.data?.name ?? slug}`;
  const choose = (id: string) => {
    setActionId(id);
    const chosen = app.data?.actions.find((one) => one.id === id);
    setParameters(chosen === undefined ? {} : guessParameters(chosen, templates));
  };
  const create = useMutation({
    mutationFn: () => {
      if (action === undefined) throw new Error('Choose an action first.');
      return createWorkflow(environment, {
        name: name.trim() || suggested,
        app_slug: slug,
        draft: starterDocument({ event: eventName, app: slug, action, parameters }),
      });
    },
    onSuccess: async (workflow) => {
      toast('Workflow created. Publish it to let it run.');
      await queries.invalidateQueries({ queryKey: workflowsQuery(environment).queryKey });
      await navigate({
        to: '/$environment/workflows/$workflowId',
        params: { environment, workflowId: workflow.id },
      });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };

  if (events.length === 0) {
    return (
      <Piece isFlush>
        <Empty
          icon="external"
          title="First, an event"
          actions={
            <Link
              className="button button-primary"
              to="/$environment/your-app/events"
              params={{ environment }}
            >
              Go to Events
            </Link>
          }
        >
          A workflow starts with something that happens in your product. Describe it once as an event with a
          sample of its data.
        </Empty>
      </Piece>
    );
  }
  if (apps.length === 0) {
    return (
      <Piece isFlush>
        <Empty
          icon="apps"
          title="First, an app"
          actions={
            <Link className="button button-primary" to="/$environment/apps" params={{ environment }}>
              Go to Apps
            </Link>
          }
        >
          Enable the app in which the workflow shall do something.
        </Empty>
      </Piece>
    );
  }
  return (
    <form className="stack" onSubmit={submit}>
      <Piece title="When this happens">
        <SelectField
          label="Event"
          placeholder="Choose an event"
          value={eventName}
          onChange={setEventName}
          options={events.map((event) => ({ value: event.name, name: event.name }))}
        />
      </Piece>
      <Piece title="Do this">
        <div className="form-row">
          <SelectField
            label="App"
            placeholder="Choose an app"
            value={slug}
            onChange={(value) => {
              setSlug(value);
              setActionId('');
              setParameters({});
            }}
            options={apps.map((one) => ({ value: one.slug, name: one.name }))}
          />
          <SelectField
            label="Action"
            placeholder="Choose an action"
            value={actionId}
            onChange={choose}
            disabled={app.data === undefined}
            options={(app.data?.actions ?? []).map(({ id, label, group }) => ({
              value: id,
              name: `${group}: ${label}`,
            }))}
          />
        </div>
        {action !== undefined && (
          <Parameters action={action} templates={templates} values={parameters} onChange={setParameters} />
        )}
      </Piece>
      <Piece title="Name">
        <TextField
          label="Name of the workflow"
          help="Your customers see it when they switch the workflow on."
          placeholder={suggested}
          value={name}
          onChange={setName}
        />
      </Piece>
      {create.isError && <Failure title="Not created" error={create.error} />}
      <div className="save-bar">
        <Button
          kind="primary"
          type="submit"
          disabled={action === undefined || eventName === ''}
          isBusy={create.isPending}
        >
          Create workflow
        </Button>
      </div>
    </form>
  );
}

interface ParametersProps {
  readonly action: AppAction;
  readonly templates: readonly string[];
  readonly values: Readonly<Record<string, string>>;
  readonly onChange: (values: Record<string, string>) => void;
}

function Parameters({ action, templates, values, onChange }: ParametersProps) {
  if (action.input.length === 0) return <p className="muted">This action takes no parameters.</p>;
  return (
    <>
      <p className="muted">
        {action.help} Write a fixed value, or insert a field of the event: <code>{'{{event.…}}'}</code> is
        filled in on every run.
      </p>
      {action.input.map((parameter) => {
        const value = values[parameter.name] ?? '';
        const set = (text: string) => onChange({ ...values, [parameter.name]: text });
        return (
          <div key={parameter.name} className="form-row">
            <TextField
              label={parameter.label}
              isRequired={parameter.required}
              required={parameter.required}
              help={parameter.help}
              value={value}
              onChange={set}
              {...(parameter.placeholder !== undefined && { placeholder: parameter.placeholder })}
            />
            <label className="filter">
              Insert from the event
              <span className="only-heard"> into {parameter.label}</span>
              <SelectBox
                value=""
                onChange={(template) => set(value + template)}
                placeholder="Choose a field"
                options={templates.map((template) => ({ value: template, name: template.slice(2, -2) }))}
              />
            </label>
          </div>
        );
      })}
    </>
  );
}
