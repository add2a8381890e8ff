import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { accountsQuery } from '../../api/accounts.ts';
import { appsQuery } from '../../api/apps.ts';
import { eventsQuery } from '../../api/events.ts';
import { executionsQuery } from '../../api/executions.ts';
import { apiKeysQuery, revealApiKey } from '../../api/organization.ts';
import { workflowsQuery } from '../../api/workflows.ts';
import { Code } from '../../parts/code.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { type Progress, quickstart, type Step } from './steps.ts';

const guideAccount = 'Test2';

/** The quickstart as a list that ticks itself. */
export function HomePage() {
  const environment = useEnvironment();
  const { progress, accountId, event } = useProgress();
  const { data: keys } = useQuery(apiKeysQuery);
  const key = keys?.find((one) => one.environment === environment);
  const reveal = useMutation({ mutationFn: (id: string) => revealApiKey(id) });
  const steps = quickstart(progress, {
    origin: window.location.origin,
    key: reveal.data ?? key?.hint ?? '…',
    accountId: accountId ?? guideAccount,
    event,
  });
  const withRealKey = async (command: string) => {
    if (reveal.data !== undefined || key === undefined) return command;
    return command.replaceAll(key.hint, await revealApiKey(key.id));
  };
  const done = steps.filter(({ isDone }) => isDone).length;
  const next = steps.find(({ isDone }) => !isDone)?.id;
  return (
    <Page
      title="Getting started"
      lead="From an empty organisation to the first workflow that ran, with commands that work as they stand."
      actions={
        <Button
          icon={reveal.data === undefined ? 'eye' : 'eyeOff'}
          disabled={key === undefined}
          isBusy={reveal.isPending}
          onClick={() => {
            if (reveal.data === undefined && key !== undefined) reveal.mutate(key.id);
            else reveal.reset();
          }}
        >
          {reveal.data === undefined ? 'Show the API key in commands' : 'Hide the API key'}
        </Button>
      }
    >
      <Piece title={done === steps.length ? 'All done' : `${done} of ${steps.length} done`} isFlush>
        <div
          className="progress"
          role="progressbar"
          aria-label="Steps done"
          aria-valuemin={0}
          aria-valuemax={steps.length}
          aria-valuenow={done}
        >
          <span style={{ scale: `${done / steps.length} 1` }} />
        </div>
        <ol className="steps">
          {steps.map((step, index) => (
            // The next step opens by itself when the one before it is done.
            <StepLine
              key={`${step.id} ${step.id === next}`}
              step={step}
              number={index + 1}
              isNext={step.id === next}
              withRealKey={withRealKey}
            />
          ))}
        </ol>
      </Piece>
    </Page>
  );
}

/** What exists in this environment, asked again while the page is open: commands run in a terminal tick too. */
function useProgress() {
  const environment = useEnvironment();
  const watched = { refetchInterval: 5_000 } as const;
  const apps = useQuery({ ...appsQuery(environment), ...watched });
  const accounts = useQuery({ ...accountsQuery(environment, {}), ...watched });
  const events = useQuery({ ...eventsQuery(environment), ...watched });
  const workflows = useQuery({ ...workflowsQuery(environment), ...watched });
  const runs = useQuery({ ...executionsQuery(environment, { status: 'COMPLETED' }), ...watched });
  const progress: Progress = {
    enabledApps: apps.data?.filter(({ is_enabled }) => is_enabled).length,
    accounts: accounts.data?.totalDocs,
    connections: accounts.data?.docs.reduce((sum, { integrations }) => sum + (integrations?.length ?? 0), 0),
    events: events.data?.length,
    publishedWorkflows: workflows.data?.filter(({ published_version }) => published_version !== null).length,
    completedExecutions: runs.data?.totalDocs,
  };
  return { progress, accountId: accounts.data?.docs[0]?.account_id, event: events.data?.[0] };
}

interface StepLineProps {
  readonly step: Step;
  readonly number: number;
  readonly isNext: boolean;
  /** The same command with the key that is masked on the screen. */
  readonly withRealKey: (command: string) => Promise<string>;
}

function StepLine({ step, number, isNext, withRealKey }: StepLineProps) {
  const environment = useEnvironment();
  const [isOpen, setOpen] = useState(isNext);
  const { command } = step;
  return (
    <li className="step" data-done={step.isDone || undefined}>
      <button type="button" className="step-head" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className="step-mark" aria-hidden="true">
          {step.isDone ? <Icon name="check" /> : number}
        </span>
        <span className="step-title">
          {step.title}
          <span className="only-heard">{step.isDone ? ' (done)' : ' (not done)'}</span>
        </span>
        <Icon name="chevronDown" />
      </button>
      {isOpen && (
        <div className="step-body">
          <p className="muted">{step.text}</p>
          {command !== undefined && (
            <Code code={command} what="command" title="In a terminal" copyText={() => withRealKey(command)} />
          )}
          {step.links.length > 0 && (
            <div className="row">
              {step.links.map((link) => (
                <Link key={link.name} className="button button-quiet" to={link.to} params={{ environment }}>
                  {link.name}
                </Link>
              ))}
            </div>
          )}
        </div>
      )}
    </li>
  );
}
