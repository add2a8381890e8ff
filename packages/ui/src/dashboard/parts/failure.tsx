import type { ReactNode } from 'react';
import { Notice } from '#components/notice.tsx';
import { errorText } from '../api/http.ts';

type FailureProps = { readonly title?: string } & (
  | { readonly error: Error; readonly children?: never }
  | { readonly error?: never; readonly children: ReactNode }
);

/** Why something that was asked for was not done; read out at once. */
export function Failure({ title, error, children }: FailureProps) {
  return (
    <div role="alert">
      <Notice tone="danger" {...(title !== undefined && { title })}>
        {error === undefined ? children : errorText(error)}
      </Notice>
    </div>
  );
}
