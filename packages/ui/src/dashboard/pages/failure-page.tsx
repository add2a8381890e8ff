import { Link } from '@tanstack/react-router';
import { Button } from '#components/button.tsx';
import { Notice } from '#components/notice.tsx';
import { errorText } from '../api/http.ts';

/** A page that could not be shown at all. */
export function FailurePage({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <div className="page" role="alert">
      <Notice
        tone="danger"
        title="This page could not be shown"
        actions={
          <Button icon="refresh" onClick={reset}>
            Try again
          </Button>
        }
      >
        {errorText(error)}
      </Notice>
    </div>
  );
}

export function MissingPage() {
  return (
    <div className="page">
      <h1>There is no such page</h1>
      <p>
        The address may be mistyped, or what it showed was deleted. <Link to="/">Go to the start</Link>.
      </p>
    </div>
  );
}
