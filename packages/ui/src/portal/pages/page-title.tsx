import { useEffect, useRef } from 'react';

// The first page must not steal the focus from the address bar or the embedding page; later ones take it, so
// that a screen reader reads the new page's name.
let isFirstPage = true;

/** The heading of a page; it takes the focus when the reader has moved here from another page. */
export function PageTitle({ children }: { children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = children;
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
  }, [children]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}
