import { type ReactNode, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { Notice } from '#components/notice.tsx';
import type { Application, AuthType, ConnectedAccount } from '../api/wire.ts';
import { identifierOf } from '../connection-state.ts';
import { formatTime, t } from '../messages/messages.ts';
import { DisconnectDialog } from './disconnect-dialog.tsx';

interface ConnectionRowProps {
  readonly app: Application;
  readonly authType: AuthType;
  readonly account: ConnectedAccount | undefined;
  /** The main button of the row: connect, reconnect, or open the key form. */
  readonly action: ReactNode;
  /** Below the row: a form, or how an attempt is going. */
  readonly children?: ReactNode;
  readonly onDisconnected: () => void;
}

/** One way to connect an app, and the connection made by it. */
export function ConnectionRow({
  app,
  authType,
  account,
  action,
  children,
  onDisconnected,
}: ConnectionRowProps) {
  const [isAsking, setAsking] = useState(false);
  const method = t(`auth_${authType}`, { app: app.name });
  const identifier = account && identifierOf(account);
  return (
    <li className="connection">
      <div className="connection-head">
        <div className="connection-text">
          {account === undefined ? (
            <>
              <h3>{method}</h3>
              <p className="muted">{t(`auth_${authType}_help`, { app: app.name })}</p>
            </>
          ) : (
            <>
              <h3 className={`connection-state connection-${account.status}`}>
                <Icon name={account.status === 'active' ? 'check' : 'alert'} />
                {t(account.status === 'active' ? 'state_connected' : 'state_expired')}
              </h3>
              <p className="connection-who">
                {identifier !== undefined && (
                  <span>{account.status === 'active' ? t('connected_as', { identifier }) : identifier}</span>
                )}
                <span className="muted">{t(`via_${authType}`, { app: app.name })}</span>
                {formatTime(account.connectedAt) !== '' && (
                  <time className="muted" dateTime={account.connectedAt}>
                    {t('connected_since', { time: formatTime(account.connectedAt) })}
                  </time>
                )}
              </p>
            </>
          )}
        </div>
        <div className="connection-actions">
          {action}
          {account !== undefined && (
            <Button
              kind="plain"
              aria-label={t('disconnect_named', { app: app.name })}
              onClick={() => setAsking(true)}
            >
              {t('disconnect')}
            </Button>
          )}
        </div>
      </div>
      {account?.status === 'expired' && (
        <Notice tone="caution" title={t('expired_title')}>
          {t('expired_text', { app: app.name })}
        </Notice>
      )}
      {children}
      {isAsking && account !== undefined && (
        <DisconnectDialog
          app={app}
          account={account}
          onClose={() => setAsking(false)}
          onDisconnected={() => {
            setAsking(false);
            onDisconnected();
          }}
        />
      )}
    </li>
  );
}
