import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { IconButton } from '#components/button.tsx';
import { sessionQuery } from '../api/session.ts';
import { AccountMenu } from './account-menu.tsx';
import { useEnvironment } from './environment.ts';
import { EnvironmentBand, EnvironmentSwitch } from './environment-switch.tsx';
import { Navigation } from './navigation.tsx';
import { Mark } from './wordmark.tsx';

/** Navigation beside the page; in a drawer where there is no room for it. */
export function Shell() {
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <div className="frame">
        <header className="top">
          <Wordmark />
          <IconButton label="Open the navigation" icon="menu" onClick={() => setDrawerOpen(true)} />
        </header>
        {isDrawerOpen ? <Drawer onClose={() => setDrawerOpen(false)} /> : <Side />}
        <div className="body">
          <EnvironmentBand />
          <main id="content" tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
    </>
  );
}

function Wordmark() {
  const environment = useEnvironment();
  return (
    <Link to="/$environment" params={{ environment }} className="wordmark">
      <Mark />
      Inlay
    </Link>
  );
}

function Side({ onNavigate }: { onNavigate?: () => void }) {
  const { data: session } = useSuspenseQuery(sessionQuery);
  return (
    <section className="side" aria-label="Navigation and account">
      <div>
        <Wordmark />
        <p className="side-org clip">{session.organization.name}</p>
      </div>
      <EnvironmentSwitch {...(onNavigate && { onSwitch: onNavigate })} />
      <Navigation {...(onNavigate && { onNavigate })} />
      <div className="side-foot">
        <AccountMenu />
      </div>
    </section>
  );
}

/** The navigation over the page: the browser's own modal dialog keeps the focus and closes with Esc. */
function Drawer({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-label="Navigation"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <Side onNavigate={onClose} />
      <div className="drawer-close">
        <IconButton label="Close the navigation" icon="cross" onClick={onClose} />
      </div>
    </dialog>
  );
}
