import type { ReactNode } from 'react';
import { Mark } from '../../shell/wordmark.tsx';

/** The frame of the pages before sign-in. */
export function Gate({ children }: { children: ReactNode }) {
  return (
    <div className="gate">
      <main className="gate-form">
        <span className="wordmark">
          <Mark />
          Inlay
        </span>
        {children}
      </main>
      <aside className="gate-art" aria-label="About Inlay">
        <Marquetry />
        <p>Integrations your customers connect themselves, set flush into your product.</p>
      </aside>
    </div>
  );
}

/** Pieces of one board: your product in the middle, the apps around it. */
function Marquetry() {
  return (
    <svg viewBox="0 0 240 180" aria-hidden="true" focusable="false">
      <g fill="none" stroke="var(--line-strong)" strokeWidth="1.5">
        <path d="M8 8h104v52H60v44H8z" fill="var(--surface)" />
        <path d="M112 8h120v52H164V60h-52z" fill="var(--accent-soft)" />
        <path d="M164 60h68v112h-44v-56h-24z" fill="var(--surface)" />
        <path d="M8 104h52v12h52v56H8z" fill="var(--caution-soft)" />
        <path d="M112 116h76v56h-76z" fill="var(--positive-soft)" />
        <path d="M60 60h104v56H60z" fill="var(--accent)" stroke="var(--accent)" />
      </g>
    </svg>
  );
}
