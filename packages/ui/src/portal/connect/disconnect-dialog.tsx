import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { Notice } from '#components/notice.tsx';
import type { Application, ConnectedAccount } from '../api/wire.ts';
import { identifierOf } from '../connection-state.ts';
import { explain } from '../explain.ts';
import { t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';

interface DisconnectDialogProps {
  readonly app: Application;
  readonly account: ConnectedAccount;
  readonly onClose: () => void;
  readonly onDisconnected: () => void;
}

/** Names what a disconnect takes away before it does. */
export function DisconnectDialog({ app, account, onClose, onDisconnected }: DisconnectDialogProps) {
  const { api } = usePortal();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const identifier = identifierOf(account);
  // The configuration goes with the last connection only.
  const isLast = (app.connected_accounts?.length ?? 0) <= 1;
  const disconnect = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.disconnect(app.slug, account.auth_type);
      onDisconnected();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t('disconnect_title', { app: app.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="danger" isBusy={isBusy} onClick={() => void disconnect()}>
            {t('disconnect_confirm')}
          </Button>
        </>
      }
    >
      <p>{t('disconnect_lost')}</p>
      <ul className="lost">
        <li>
          {identifier === undefined
            ? t('disconnect_lost_access_plain', { app: app.name })
            : t('disconnect_lost_access', { identifier })}
        </li>
        {isLast && (
          <>
            <li>{t('disconnect_lost_configuration')}</li>
            <li>{t('disconnect_lost_workflows', { app: app.name })}</li>
          </>
        )}
      </ul>
      {error !== undefined && (
        <div role="alert">
          <Notice tone="danger">{explain(error)}</Notice>
        </div>
      )}
    </Dialog>
  );
}
