import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Page } from '../api/page.ts';
import { Piece } from './page.tsx';
import { Pager } from './pager.tsx';
import { Loaded } from './states.tsx';

interface PagedListProps<T> {
  readonly query: UseQueryResult<Page<T>>;
  /** What stands there instead of no rows. */
  readonly empty: ReactNode;
  readonly onPage: (page: number) => void;
  readonly children: (rows: readonly T[]) => ReactNode;
}

/** The piece of a page that shows a list page by page. */
export function PagedList<T>({ query, empty, onPage, children }: PagedListProps<T>) {
  return (
    <Piece isFlush>
      <Loaded query={query}>
        {(page) =>
          page.docs.length === 0 ? (
            empty
          ) : (
            <>
              {children(page.docs)}
              <Pager of={page} onPage={onPage} />
            </>
          )
        }
      </Loaded>
    </Piece>
  );
}
