import { type FormEvent, useRef, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Notice } from '#components/notice.tsx';
import type { Application } from '../api/wire.ts';
import { accountOf, identifierOf } from '../connection-state.ts';
import { focusFirstInvalid } from '../focus.ts';
import { explain } from '../explain.ts';
import { t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';
import { ConnectionRow } from './connection-row.tsx';
import { checkInput, InputFields, type InputValues } from './input-fields.tsx';

interface KeyRowProps {
  readonly app: Application;
  readonly isOnlyWay: boolean;
  readonly onConnected: (earlier?: string) => Promise<void>;
  readonly onDisconnected: () => void;
}

/** Connecting with credentials the customer types; the server checks them with the provider first. */
export function KeyRow({ app, isOnlyWay, onConnected, onDisconnected }: KeyRowProps) {
  const { api } = usePortal();
  const account = accountOf(app, 'keybased');
  const fields = app.auth_type_options?.keybased ?? [];
  const [isOpen, setOpen] = useState(isOnlyWay && account?.status !== 'active');
  const [values, setValues] = useState<InputValues>({});
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [refusal, setRefusal] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const formId = `keys-${app.slug}`;

  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const problems = checkInput(fields, values);
    setErrors(problems);
    setRefusal(undefined);
    if (Object.keys(problems).length > 0) {
      focusFirstInvalid(form.current);
      return;
    }
    setBusy(true);
    try {
      await api.connectWithKeys(app.slug, values);
      // A secret stays in memory no longer than it is needed.
      setValues({});
      setOpen(false);
      await onConnected(account && identifierOf(account));
    } catch (error) {
      setRefusal(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <ConnectionRow
      app={app}
      authType="keybased"
      account={account}
      onDisconnected={() => {
        setOpen(isOnlyWay);
        onDisconnected();
      }}
      action={
        !isOpen && (
          <Button
            kind={account?.status === 'expired' || (account === undefined && isOnlyWay) ? 'primary' : 'quiet'}
            aria-expanded={false}
            aria-label={
              account === undefined
                ? t('connect_named', { app: app.name, method: t('auth_keybased', { app: app.name }) })
                : t('reconnect_named', { app: app.name })
            }
            onClick={() => {
              setOpen(true);
              requestAnimationFrame(() =>
                form.current?.querySelector<HTMLElement>('input, textarea')?.focus(),
              );
            }}
          >
            {t(account === undefined ? 'connect' : 'reconnect')}
          </Button>
        )
      }
    >
      {isOpen && (
        <form
          id={formId}
          ref={form}
          noValidate
          className="connection-form"
          onSubmit={(event) => void onSubmit(event)}
        >
          <InputFields
            fields={fields}
            values={values}
            errors={errors}
            onChange={(name, value) => setValues({ ...values, [name]: value })}
          />
          <div role="alert">{refusal !== undefined && <Notice tone="danger">{refusal}</Notice>}</div>
          <div className="form-actions">
            <Button type="submit" kind="primary" isBusy={isBusy}>
              {isBusy ? t('verifying', { app: app.name }) : t('connect')}
            </Button>
            {(!isOnlyWay || account?.status === 'active') && (
              <Button onClick={() => setOpen(false)}>{t('cancel')}</Button>
            )}
          </div>
        </form>
      )}
    </ConnectionRow>
  );
}
