import { type KeyboardEvent, type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react';
import { Icon } from '#components/icon.tsx';

interface PageTabsProps<Item> {
  readonly items: readonly Item[];
  readonly pageOf: (item: Item) => string;
  /** Something on the item's page needs attention: its tab says so. */
  readonly isMarked: (item: Item) => boolean;
  /** Counts the checks that failed: each opens the first page with a marked item. */
  readonly failedChecks: number;
  readonly children: (items: readonly Item[]) => ReactNode;
}

/** Groups items into pages under tabs, or shows them plainly when there is one page. */
export function PageTabs<Item>({ items, pageOf, isMarked, failedChecks, children }: PageTabsProps<Item>) {
  const pages = [...Map.groupBy(items, pageOf)];
  const [chosen, setChosen] = useState(0);
  const tabs = useRef<HTMLDivElement>(null);
  const id = useId();
  const firstMarked = pages.findIndex(([, members]) => members.some(isMarked));
  // Before the focus moves to the first invalid field, which must be on the screen by then.
  useLayoutEffect(() => {
    if (failedChecks > 0 && firstMarked >= 0) setChosen(firstMarked);
  }, [failedChecks]);
  if (pages.length === 1) return children(items);
  const current = Math.min(chosen, pages.length - 1);
  const onKeyDown = (event: KeyboardEvent) => {
    const target = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: pages.length - 1 }[
      event.key
    ];
    if (target === undefined) return;
    event.preventDefault();
    const next = (target + pages.length) % pages.length;
    setChosen(next);
    tabs.current?.querySelectorAll<HTMLElement>('[role="tab"]')[next]?.focus();
  };
  return (
    <div>
      <div ref={tabs} className="tabs" role="tablist" onKeyDown={onKeyDown}>
        {pages.map(([name, members], index) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}-tab-${index}`}
            aria-controls={`${id}-page-${index}`}
            aria-selected={index === current}
            tabIndex={index === current ? 0 : -1}
            onClick={() => setChosen(index)}
          >
            {name}
            {members.some(isMarked) && <Icon name="alert" />}
          </button>
        ))}
      </div>
      {pages.map(([name, members], index) => (
        <div
          key={name}
          role="tabpanel"
          id={`${id}-page-${index}`}
          aria-labelledby={`${id}-tab-${index}`}
          className="tab-page"
          hidden={index !== current}
        >
          {children(members)}
        </div>
      ))}
    </div>
  );
}
