import type { ReactNode } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Icon } from '#components/icon.tsx';
import type { PortalSession } from '../api/wire.ts';
import { t } from '../messages/messages.ts';

/** The band in the organisation's colours with who asks and for whom, and the page below it. */
export function Frame({ session, children }: { session: PortalSession | undefined; children: ReactNode }) {
  const organization = session?.organization;
  const name = typeof session?.properties.name === 'string' ? session.properties.name.trim() : '';
  return (
    <>
      <a className="skip" href="#content">
        {t('skip_to_content')}
      </a>
      <header className="band">
        <div className="band-inner">
          <div className="band-organization">
            {organization !== undefined && (
              <>
                {organization.logo !== undefined && (
                  <AppLogo name={organization.name} src={organization.logo} />
                )}
                <span className="band-name" dir="auto">
                  {organization.name}
                </span>
              </>
            )}
          </div>
          {name !== '' && (
            <div className="band-account">
              <span className="only-heard">{t('account_label', { name })}</span>
              <span aria-hidden="true" className="band-initials">
                {initialsOf(name)}
              </span>
              <span aria-hidden="true" className="band-account-name" dir="auto">
                {name}
              </span>
            </div>
          )}
        </div>
      </header>
      <main id="content" className="page" tabIndex={-1}>
        {children}
      </main>
      <footer className="foot">
        {organization?.return_url !== undefined && (
          <a className="foot-back" href={organization.return_url}>
            <Icon name="arrowLeft" />
            {t('back_to_organization', { organization: organization.name })}
          </a>
        )}
      </footer>
    </>
  );
}

/** First letters as readers count them: a flag or a family is one. */
const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function initialsOf(name: string): string {
  const words = name.split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => [...letters.segment(word ?? '')][0]?.segment.toUpperCase() ?? '')
    .join('');
}
