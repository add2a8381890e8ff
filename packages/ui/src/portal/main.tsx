import '#tokens/tokens.css';
import '#components/components.css';
import '#components/base.css';
import './portal.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createSessionOpener } from './api/session.ts';
import { Portal } from './portal.tsx';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Portal openSession={createSessionOpener()} />
  </StrictMode>,
);
