import { Skeleton } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Button } from '#components/button.tsx';
import { Icon, type IconName } from '#components/icon.tsx';
import { Notice } from '#components/notice.tsx';
import { errorText } from '../api/http.ts';

/** Grey lines in the size of what will stand there. */
export function Loading({ lines = 4, height = 40 }: { lines?: number; height?: number }) {
  return (
    <div className="piece-body" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <Skeleton key={index} height={height} radius={8} />
      ))}
    </div>
  );
}

/** Why something is not there, and a way to try again. */
export function LoadError({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <div className="piece-body" role="alert">
      <Notice
        tone="danger"
        title="This could not be loaded"
        actions={
          onRetry && (
            <Button icon="refresh" onClick={onRetry}>
              Try again
            </Button>
          )
        }
      >
        {errorText(error)}
      </Notice>
    </div>
  );
}

interface LoadedProps<T> {
  readonly query: UseQueryResult<T>;
  readonly loading?: ReactNode;
  readonly children: (data: T) => ReactNode;
}

/** What a query holds: its data, or why there is none. Old data stays while a reload fails. */
export function Loaded<T>({ query, loading, children }: LoadedProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  return loading ?? <Loading />;
}

/** Nothing here yet: says what belongs here and how it comes. */
export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon: IconName;
  title: string;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      <p>{children}</p>
      {actions !== undefined && <div className="row">{actions}</div>}
    </div>
  );
}
