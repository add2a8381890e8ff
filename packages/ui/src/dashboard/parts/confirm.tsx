import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { Notice } from '#components/notice.tsx';
import { errorText } from '../api/http.ts';

interface ConfirmProps {
  readonly title: string;
  /** What will happen, and what cannot be taken back. */
  readonly children: ReactNode;
  readonly verb: string;
  readonly onConfirm: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before something that cannot be taken back; a failure is told in the dialog. */
export function Confirm({ title, children, verb, onConfirm, onClose }: ConfirmProps) {
  const action = useMutation({ mutationFn: onConfirm, onSuccess: onClose });
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" isBusy={action.isPending} onClick={() => action.mutate()}>
            {verb}
          </Button>
        </>
      }
    >
      <div className="stack-tight">
        {children}
        {action.isError && <Notice tone="danger">{errorText(action.error)}</Notice>}
      </div>
    </Dialog>
  );
}
