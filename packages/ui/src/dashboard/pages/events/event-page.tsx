import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Notice } from '#components/notice.tsx';
import { accountsQuery } from '../../api/accounts.ts';
import { changeEvent, deleteEvent, eventsQuery, type OrgEvent, sendEvent } from '../../api/events.ts';
import { errorText } from '../../api/http.ts';
import { apiKeysQuery, revealApiKey } from '../../api/organization.ts';
import { workflowsQuery } from '../../api/workflows.ts';
import { CodeTabs } from '../../parts/code.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { CopyLine } from '../../parts/copy.tsx';
import { Failure } from '../../parts/failure.tsx';
import { JsonEditor } from '../../parts/json-editor.tsx';
import { readJsonObject } from '../../parts/json-text.ts';
import { Page, Piece } from '../../parts/page.tsx';
import { Loaded, LoadError } from '../../parts/states.tsx';
import { SelectField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { eventSnippets } from './event-snippets.ts';

/** One event: its sample, how to send it, and a try. */
export function EventPage() {
  const environment = useEnvironment();
  const { eventId } = useParams({ from: '/$environment/your-app/events/$eventId' });
  const query = useQuery(eventsQuery(environment));
  const event = query.data?.find(({ id }) => id === eventId);
  const [isDeleting, setDeleting] = useState(false);
  return (
    <Page
      title={event?.name ?? 'Event'}
      up={{ name: 'Events', link: { to: '/$environment/your-app/events', params: { environment } } }}
      actions={
        event && (
          <>
            <Button kind="plain" icon="trash" onClick={() => setDeleting(true)}>
              Delete
            </Button>
            <Link
              className="button button-quiet"
              to="/$environment/workflows/new"
              params={{ environment }}
              search={{ event: event.name }}
            >
              New workflow with this event
            </Link>
          </>
        )
      }
    >
      <Loaded query={query}>
        {() =>
          event === undefined ? (
            <LoadError error={new Error('There is no such event in this environment.')} />
          ) : (
            <div className="columns-even">
              <div className="stack">
                <Sample key={event.updated_at} event={event} />
                <SendTest key={event.id} event={event} />
              </div>
              <HowToTrigger event={event} />
            </div>
          )
        }
      </Loaded>
      {isDeleting && event !== undefined && <DeleteEvent event={event} onClose={() => setDeleting(false)} />}
    </Page>
  );
}

function Sample({ event }: { event: OrgEvent }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const toast = useToast();
  const stored = JSON.stringify(event.sample, null, 2);
  const [text, setText] = useState(stored);
  const reading = readJsonObject(text);
  const save = useMutation({
    mutationFn: () => {
      if (reading.problem !== undefined) throw new Error(reading.problem);
      return changeEvent(environment, event.id, { sample: reading.value });
    },
    onSuccess: () => {
      toast('Sample saved');
      return queries.invalidateQueries({ queryKey: eventsQuery(environment).queryKey });
    },
  });
  const submit = (submitted: FormEvent) => {
    submitted.preventDefault();
    if (reading.problem === undefined) save.mutate();
  };
  return (
    <Piece title="Event schema" note="A sample of the data: workflows offer its fields.">
      <form className="form" onSubmit={submit}>
        <JsonEditor
          label="Sample data"
          text={text}
          onChange={setText}
          problem={reading.problem === undefined ? undefined : reading}
          rows={6}
        />
        {save.isError && <Notice tone="danger">{errorText(save.error)}</Notice>}
        <div>
          <Button
            type="submit"
            disabled={text === stored || reading.problem !== undefined}
            isBusy={save.isPending}
          >
            Save sample
          </Button>
        </div>
      </form>
    </Piece>
  );
}

function HowToTrigger({ event }: { event: OrgEvent }) {
  const environment = useEnvironment();
  const { data: keys } = useQuery(apiKeysQuery);
  const { data: accounts } = useQuery(accountsQuery(environment, {}));
  const key = keys?.find((one) => one.environment === environment);
  const reveal = useMutation({ mutationFn: (id: string) => revealApiKey(id) });
  const account = accounts?.docs[0]?.account_id ?? 'YOUR_CUSTOMER_ID';
  const origin = window.location.origin;
  return (
    <Piece title="How to trigger an event?" note="From your server, when it happens in your product.">
      <div className="field">
        <span className="field-label">URL</span>
        <CopyLine value={`${origin}/api/v2/public/event`} what="URL" />
      </div>
      <label className="check">
        <input
          type="checkbox"
          checked={reveal.data !== undefined}
          disabled={key === undefined}
          onChange={(change) => {
            if (change.target.checked && key !== undefined) reveal.mutate(key.id);
            else reveal.reset();
          }}
        />
        Show credentials
      </label>
      <CodeTabs
        label="Request"
        snippets={eventSnippets({ origin, key: reveal.data ?? 'YOUR_API_KEY', account, event })}
      />
    </Piece>
  );
}

function SendTest({ event }: { event: OrgEvent }) {
  const environment = useEnvironment();
  const accounts = useQuery(accountsQuery(environment, {}));
  const [account, setAccount] = useState('');
  const [text, setText] = useState(() => JSON.stringify(event.sample, null, 2));
  const reading = readJsonObject(text);
  const options = (accounts.data?.docs ?? []).map(({ account_id, name }) => ({
    value: account_id,
    name: name == null ? account_id : `${name} (${account_id})`,
  }));
  const send = useMutation({
    mutationFn: () => {
      if (reading.problem !== undefined) throw new Error(reading.problem);
      return sendEvent(environment, event.id, { linked_account_id: account, payload: reading.value });
    },
  });
  const submit = (submitted: FormEvent) => {
    submitted.preventDefault();
    if (reading.problem === undefined && account !== '') send.mutate();
  };
  return (
    <Piece title="Send a test event" note="It is real: workflows that listen will run and call the apps.">
      <form className="form" onSubmit={submit}>
        <SelectField
          label="Linked account"
          placeholder={options.length === 0 ? 'There is none yet' : 'Choose an account'}
          value={account}
          onChange={setAccount}
          options={options}
        />
        <JsonEditor
          label="Payload"
          text={text}
          onChange={setText}
          problem={reading.problem === undefined ? undefined : reading}
          rows={4}
        />
        {send.isError && <Failure title="Not sent" error={send.error} />}
        {send.isSuccess && <Sent executions={send.data.executions} />}
        <div>
          <Button
            kind="primary"
            icon="play"
            type="submit"
            disabled={account === '' || reading.problem !== undefined}
            isBusy={send.isPending}
          >
            Send test event
          </Button>
        </div>
      </form>
    </Piece>
  );
}

function Sent({ executions }: { executions: number }) {
  const environment = useEnvironment();
  return (
    <div role="status">
      {executions > 0 ? (
        <Notice
          tone="positive"
          title={executions === 1 ? 'One workflow started' : `${executions} workflows started`}
        >
          <Link to="/$environment/logs/executions" params={{ environment }}>
            See the executions
          </Link>
        </Notice>
      ) : (
        <Notice tone="caution" title="Received, but nothing listens">
          No published workflow that this account has switched on starts with this event.
        </Notice>
      )}
    </div>
  );
}

function DeleteEvent({ event, onClose }: { event: OrgEvent; onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { data: workflows } = useQuery(workflowsQuery(environment));
  const users = workflows?.filter(({ trigger }) => trigger?.event === event.name) ?? [];
  const remove = async () => {
    await deleteEvent(environment, event.id);
    await navigate({ to: '/$environment/your-app/events', params: { environment } });
    queries.setQueryData(eventsQuery(environment).queryKey, (old) =>
      old?.filter(({ id }) => id !== event.id),
    );
  };
  return (
    <Confirm title={`Delete “${event.name}”?`} verb="Delete event" onConfirm={remove} onClose={onClose}>
      {users.length === 0 ? (
        <p>No workflow starts with it. Your server is refused when it sends it again.</p>
      ) : (
        <>
          <p>These workflows start with it and will not start any more:</p>
          <ul>
            {users.map((workflow) => (
              <li key={workflow.id}>{workflow.name}</li>
            ))}
          </ul>
        </>
      )}
    </Confirm>
  );
}
