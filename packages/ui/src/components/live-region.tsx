import { createContext, type ReactNode, useCallback, useContext, useRef } from 'react';

const Announce = createContext<(text: string) => void>(() => {});

/** Says a sentence to screen readers without moving the focus. */
export function useAnnounce(): (text: string) => void {
  return useContext(Announce);
}

/** Holds the one polite live region of the page; it exists before the first word, or words are missed. */
export function LiveRegion({ children }: { children: ReactNode }) {
  const region = useRef<HTMLDivElement>(null);
  const announce = useCallback((text: string) => {
    const element = region.current;
    if (element === null) return;
    // The same words twice are only read twice when the region was empty in between.
    element.textContent = '';
    requestAnimationFrame(() => {
      element.textContent = text;
    });
  }, []);
  return (
    <Announce value={announce}>
      {children}
      <div ref={region} className="only-heard" role="status" aria-live="polite" />
    </Announce>
  );
}
