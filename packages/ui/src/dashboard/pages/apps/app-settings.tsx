import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useBlocker } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { Notice } from '#components/notice.tsx';
import {
  type AppDetail,
  appQuery,
  type AppSettingsChange,
  changeApp,
  revealClientSecret,
} from '../../api/apps.ts';
import { ApiError, type Environment } from '../../api/http.ts';
import { CopyLine } from '../../parts/copy.tsx';
import { Failure } from '../../parts/failure.tsx';
import { Markdown } from '../../parts/markdown.tsx';
import { Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { useApp } from './app-layout.tsx';
import { ClientSecret } from './client-secret.tsx';
import { MandatoryScopes, ScopePicker } from './scope-picker.tsx';

/** The credentials and permissions with which customers of this environment connect. */
export function AppSettingsPage() {
  return (
    <Loaded query={useApp()}>
      {(app) => (
        <div className="stack">
          {app.auth_types.includes('oauth2') || app.variables.length > 0 ? (
            // Another stored version starts the form anew.
            <SettingsForm key={JSON.stringify(app.settings)} app={app} />
          ) : (
            <Piece title="Credentials">
              <p>This is an API key-based connector and does not require additional credentials.</p>
            </Piece>
          )}
          <Piece title="Setup guide" note={`What to do at ${app.name}, step by step.`}>
            <Markdown text={app.setup_guide} />
          </Piece>
        </div>
      )}
    </Loaded>
  );
}

interface Draft {
  readonly source: 'ours' | 'own';
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly scopes: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

function draftOf({ settings }: AppDetail): Draft {
  return {
    source: settings.credential_source,
    clientId: settings.client_id ?? '',
    clientSecret: undefined,
    scopes: [...settings.optional_scopes, ...settings.custom_scopes],
    variables: settings.variables,
  };
}

function changeOf(app: AppDetail, draft: Draft): AppSettingsChange {
  const isOffered = (scope: string) => app.offered_scopes.some(({ id }) => id === scope);
  return {
    ...(app.variables.length > 0 && { variables: draft.variables }),
    ...(app.auth_types.includes('oauth2') && {
      credential_source: draft.source,
      optional_scopes: draft.scopes.filter(isOffered),
      custom_scopes: draft.scopes.filter((scope) => !isOffered(scope)),
      ...(draft.source === 'own' && {
        ...(draft.clientId.trim() !== '' && { client_id: draft.clientId }),
        ...(draft.clientSecret !== undefined && { client_secret: draft.clientSecret }),
      }),
    }),
  };
}

function SettingsForm({ app }: { app: AppDetail }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const toast = useToast();
  const [draft, setDraft] = useState(() => draftOf(app));
  const set = (change: Partial<Draft>) => setDraft((old) => ({ ...old, ...change }));
  const isDirty = JSON.stringify(draft) !== JSON.stringify(draftOf(app));
  const save = useMutation({
    mutationFn: () => changeApp(environment, app.slug, changeOf(app, draft)),
    onSuccess: (changed) => {
      toast('Settings saved');
      queries.setQueryData(appQuery(environment, app.slug).queryKey, changed);
      return queries.invalidateQueries({ queryKey: [environment, 'apps'], exact: true });
    },
  });
  const problemOf = (path: string) =>
    save.error instanceof ApiError ? save.error.problemOf(path) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const hasScopeChange = JSON.stringify(draft.scopes) !== JSON.stringify(draftOf(app).scopes);
  return (
    <form className="stack" onSubmit={submit}>
      <LeaveWarning isDirty={isDirty && !save.isSuccess} />
      {app.variables.length > 0 && (
        <Piece title={`Your ${app.name}`} note="What differs from one installation to the next.">
          {app.variables.map((variable) => (
            <TextField
              key={variable.name}
              label={variable.label}
              help={variable.help}
              isRequired={variable.required}
              {...(variable.placeholder !== undefined && { placeholder: variable.placeholder })}
              error={problemOf(`variables.${variable.name}`) ?? problemOf(variable.name)}
              value={draft.variables[variable.name] ?? ''}
              onChange={(value) => set({ variables: { ...draft.variables, [variable.name]: value } })}
            />
          ))}
        </Piece>
      )}
      {app.auth_types.includes('oauth2') && (
        <>
          <Credentials app={app} draft={draft} set={set} problemOf={problemOf} environment={environment} />
          <Piece title="Permissions & Scopes" note="What your users are asked to allow.">
            <ScopePicker
              offered={app.offered_scopes}
              mandatory={app.mandatory_scopes}
              chosen={draft.scopes}
              onChange={(scopes) => set({ scopes })}
            />
            <MandatoryScopes scopes={app.mandatory_scopes} />
            {hasScopeChange && app.connections > 0 && (
              <Notice tone="caution">
                {app.connections === 1 ? 'One connection keeps' : `${app.connections} connections keep`} the
                permission given before, until the customer authorises again.
              </Notice>
            )}
          </Piece>
        </>
      )}
      {save.isError && <Failure title="Not saved" error={save.error} />}
      <div className="save-bar">
        {isDirty && <span className="muted">You have unsaved changes.</span>}
        <Button disabled={!isDirty} onClick={() => setDraft(draftOf(app))}>
          Discard
        </Button>
        <Button kind="primary" type="submit" disabled={!isDirty} isBusy={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}

interface CredentialsProps {
  readonly app: AppDetail;
  readonly draft: Draft;
  readonly set: (change: Partial<Draft>) => void;
  readonly problemOf: (path: string) => string | undefined;
  readonly environment: Environment;
}

function Credentials({ app, draft, set, problemOf, environment }: CredentialsProps) {
  const { settings } = app;
  return (
    <Piece title="Configure Credentials" note="The OAuth client that your users see when they authorise.">
      <fieldset className="bare-fieldset">
        <legend className="only-heard">Whose credentials</legend>
        <label className="choice">
          <input
            type="radio"
            name="source"
            checked={draft.source === 'ours'}
            disabled={!settings.has_our_credentials}
            onChange={() => set({ source: 'ours' })}
          />
          <strong>Use our credentials</strong>
          <small>
            {settings.has_our_credentials
              ? 'The client that this installation provides: good to try things out.'
              : `This installation has no ${app.name} client. Its operator can provide one; until then use your own.`}
          </small>
        </label>
        <label className="choice">
          <input
            type="radio"
            name="source"
            checked={draft.source === 'own'}
            onChange={() => set({ source: 'own' })}
          />
          <strong>Use your own credentials</strong>
          <small>Your users see your name and brand. Use these when you go to production.</small>
        </label>
      </fieldset>
      {draft.source === 'own' && (
        <>
          <TextField
            label="Client Id"
            isRequired
            autoComplete="off"
            spellCheck={false}
            error={problemOf('client_id')}
            value={draft.clientId}
            onChange={(clientId) => set({ clientId })}
          />
          <ClientSecret
            isStored={settings.has_client_secret}
            reveal={() => revealClientSecret(environment, app.slug)}
            value={draft.clientSecret}
            onChange={(clientSecret) => set({ clientSecret })}
            error={problemOf('client_secret')}
          />
        </>
      )}
      <div className="field">
        <span className="field-label">Callback Url</span>
        <div className="field-help">Register exactly this address as the redirect URI at {app.name}.</div>
        <CopyLine value={settings.callback_url} what="Callback Url" />
      </div>
    </Piece>
  );
}

/** Asks before changes are lost, also when the window is closed. */
function LeaveWarning({ isDirty }: { isDirty: boolean }) {
  const blocker = useBlocker({
    shouldBlockFn: () => isDirty,
    enableBeforeUnload: () => isDirty,
    withResolver: true,
  });
  if (blocker.status !== 'blocked') return null;
  return (
    <Dialog
      title="Leave without saving?"
      onClose={blocker.reset}
      actions={
        <>
          <Button onClick={blocker.reset}>Stay</Button>
          <Button kind="danger" onClick={blocker.proceed}>
            Leave
          </Button>
        </>
      }
    >
      <p>Your changes to the settings are not saved yet.</p>
    </Dialog>
  );
}
