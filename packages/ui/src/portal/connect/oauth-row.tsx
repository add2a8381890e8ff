import { type FormEvent, useRef, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { Notice } from '#components/notice.tsx';
import { focusFirstInvalid } from '../focus.ts';
import type { Application } from '../api/wire.ts';
import { accountOf } from '../connection-state.ts';
import { t } from '../messages/messages.ts';
import { ConnectionRow } from './connection-row.tsx';
import { checkInput, InputFields, type InputValues } from './input-fields.tsx';
import { type OAuthPhase, useOAuth } from './use-oauth.ts';

interface OAuthRowProps {
  readonly app: Application;
  readonly onConnected: (app: Application, earlier?: string) => void;
  readonly onDisconnected: () => void;
}

/** Connecting by the provider's own consent page. */
export function OAuthRow({ app, onConnected, onDisconnected }: OAuthRowProps) {
  const account = accountOf(app, 'oauth2');
  const fields = app.auth_type_options?.oauth2 ?? [];
  const { phase, start } = useOAuth(app, onConnected);
  const [values, setValues] = useState<InputValues>({});
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const form = useRef<HTMLFormElement>(null);

  const isBusy = phase.at === 'starting' || (phase.at === 'waiting' && phase.isWindowOpen);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const problems = checkInput(fields, values);
    setErrors(problems);
    if (Object.keys(problems).length > 0) focusFirstInvalid(form.current);
    else start(values);
  };
  const formId = `connect-${app.slug}`;
  return (
    <ConnectionRow
      app={app}
      authType="oauth2"
      account={account}
      onDisconnected={onDisconnected}
      action={
        <Button
          type="submit"
          form={formId}
          kind={account?.status === 'active' ? 'quiet' : 'primary'}
          isBusy={isBusy}
          aria-label={
            account === undefined
              ? t('connect_named', { app: app.name, method: t('auth_oauth2', { app: app.name }) })
              : t('reconnect_named', { app: app.name })
          }
        >
          {t(account === undefined ? 'connect' : 'reconnect')}
        </Button>
      }
    >
      <form id={formId} ref={form} noValidate className="connection-form" onSubmit={onSubmit}>
        <InputFields
          fields={fields}
          values={values}
          errors={errors}
          onChange={(name, value) => setValues({ ...values, [name]: value })}
        />
      </form>
      <div aria-live="polite">
        <Progress app={app} phase={phase} />
      </div>
    </ConnectionRow>
  );
}

const endings = {
  denied: 'connection_denied',
  failed: 'connection_failed',
  closed: 'window_closed',
} as const;

function Progress({ app, phase }: { app: Application; phase: OAuthPhase }) {
  switch (phase.at) {
    case 'waiting':
      return (
        <p className="waiting">
          <span className="spinner" aria-hidden="true" />
          <span>
            {t('connecting', { app: app.name })}{' '}
            {phase.isWindowOpen && <span className="muted">{t('connecting_help')}</span>}
          </span>
        </p>
      );
    case 'blocked':
      return (
        <Notice
          tone="caution"
          actions={
            <a className="button button-primary" href={phase.url}>
              <span>{t('continue_to', { app: app.name })}</span>
              <Icon name="arrowRight" />
            </a>
          }
        >
          {t('popup_blocked')}
        </Notice>
      );
    case 'ended':
      return (
        <Notice
          tone={phase.why === 'failed' ? 'danger' : 'caution'}
          title={t(endings[phase.why], { app: app.name })}
        >
          {phase.message !== '' && phase.why === 'failed' ? phase.message : t('try_again_hint')}
        </Notice>
      );
    default:
      return null;
  }
}
