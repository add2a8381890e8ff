import { useEffect } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { asProblem } from '../api/problem.ts';
import type { PortalSession } from '../api/wire.ts';
import { t } from '../messages/messages.ts';
import { PageTitle } from './page-title.tsx';

interface TroublePageProps {
  readonly error: unknown;
  readonly session?: PortalSession | undefined;
  readonly onRetry: () => void;
}

/** A whole page that says what is wrong and what to do, in place of one that could not be loaded. */
export function TroublePage({ error, session, onRetry }: TroublePageProps) {
  const { kind } = asProblem(error);
  useEffect(() => {
    if (kind !== 'offline') return undefined;
    addEventListener('online', onRetry);
    return () => removeEventListener('online', onRetry);
  }, [kind, onRetry]);
  const organization = session?.organization.name;
  if (kind === 'link_expired') {
    return (
      <section className="trouble">
        <Icon name="alert" />
        <PageTitle>{t('link_expired_title')}</PageTitle>
        <p>{t('link_expired_text')}</p>
        <p>
          {organization === undefined
            ? t('link_expired_way_out_plain')
            : t('link_expired_way_out', { organization })}
        </p>
      </section>
    );
  }
  const isOffline = kind === 'offline';
  return (
    <section className="trouble" role="alert">
      <Icon name="alert" />
      <PageTitle>{t(isOffline ? 'offline_title' : 'trouble_title')}</PageTitle>
      <p>{t(isOffline ? 'offline_text' : 'trouble_text')}</p>
      <Button kind="primary" icon="refresh" onClick={onRetry}>
        {t('retry')}
      </Button>
    </section>
  );
}
