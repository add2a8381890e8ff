import { Link, type LinkProps } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';
import { Icon } from '#components/icon.tsx';

interface PageProps {
  readonly title: string;
  readonly lead?: ReactNode;
  /** Where this page belongs, one step up. */
  readonly up?: { readonly name: string; readonly link: LinkProps };
  /** What stands before the title, such as a logo. */
  readonly mark?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** One page: its heading takes the focus after a navigation, so that a screen reader says where one is. */
export function Page({ title, lead, up, mark, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Inlay`;
    // Not over a control that took the focus by itself, such as a search field.
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <div className="page">
      <header className="page-head">
        <div className="page-head-text">
          {up !== undefined && (
            <Link {...up.link} className="crumb">
              <Icon name="arrowLeft" />
              {up.name}
            </Link>
          )}
          <div className="row">
            {mark}
            <h1 ref={heading} tabIndex={-1}>
              {title}
            </h1>
          </div>
          {lead !== undefined && <p>{lead}</p>}
        </div>
        {actions !== undefined && <div className="row">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface PieceProps {
  readonly title?: string;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  /** The content brings its own padding: tables and lists. */
  readonly isFlush?: boolean;
  readonly children: ReactNode;
}

/** A titled area of a page. */
export function Piece({ title, note, actions, isFlush = false, children }: PieceProps) {
  return (
    <section className="piece" aria-label={title}>
      {title !== undefined && (
        <div className="piece-head">
          <div>
            <h2>{title}</h2>
            {note !== undefined && <p>{note}</p>}
          </div>
          {actions !== undefined && <div className="row">{actions}</div>}
        </div>
      )}
      {isFlush ? children : <div className="piece-body">{children}</div>}
    </section>
  );
}
