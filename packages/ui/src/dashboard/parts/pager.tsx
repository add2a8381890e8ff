import { Button } from '#components/button.tsx';
import type { Page } from '../api/page.ts';

/** Which part of a list is shown, and the way to the next. */
export function Pager({ of, onPage }: { of: Page<unknown>; onPage: (page: number) => void }) {
  if (of.totalPages <= 1) return null;
  const first = (of.page - 1) * of.limit + 1;
  return (
    <nav className="pager" aria-label="Pages">
      <span>
        {first}–{first + of.docs.length - 1} of {of.totalDocs}
      </span>
      <span className="row">
        <Button icon="arrowLeft" disabled={!of.hasPrevPage} onClick={() => onPage(of.page - 1)}>
          Previous
        </Button>
        <Button icon="arrowRight" disabled={!of.hasNextPage} onClick={() => onPage(of.page + 1)}>
          Next
        </Button>
      </span>
    </nav>
  );
}
