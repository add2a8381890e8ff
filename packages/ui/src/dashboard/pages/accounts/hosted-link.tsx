import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { Icon } from '#components/icon.tsx';
import { createPortalLink } from '../../api/accounts.ts';
import { CopyLine } from '../../parts/copy.tsx';
import { Failure } from '../../parts/failure.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useEnvironment } from '../../shell/environment.ts';

/** Makes the hosted page of an account, in the colours asked for, and hands out its address. */
export function HostedLink({ accountId, onClose }: { accountId: string; onClose: () => void }) {
  const environment = useEnvironment();
  const id = useId();
  const [look, setLook] = useState({ name: '', color: '', bgColor: '' });
  const link = useMutation({
    mutationFn: () =>
      createPortalLink(
        environment,
        accountId,
        Object.fromEntries(Object.entries(look).filter(([, value]) => value !== '')),
      ),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    link.mutate();
  };
  return (
    <Dialog
      title="Hosted page"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Close</Button>
          {link.data === undefined ? (
            <Button kind="primary" type="submit" form={id} isBusy={link.isPending}>
              Generate
            </Button>
          ) : (
            <a className="button button-primary" href={link.data} target="_blank" rel="noreferrer noopener">
              <Icon name="external" />
              <span>Open the page</span>
            </a>
          )}
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        <p className="muted">
          A page where this customer connects apps, without signing in. The link works once, in the first
          browser that opens it: make a new one for every visit.
        </p>
        {link.isError && <Failure error={link.error} />}
        {link.data === undefined ? (
          <details>
            <summary>Advanced: name and colours</summary>
            <div className="form">
              <TextField
                label="Name of the customer"
                placeholder="Jon Snow"
                value={look.name}
                onChange={(name) => setLook({ ...look, name })}
              />
              <div className="form-row">
                <TextField
                  label="Colour"
                  placeholder="#17595c"
                  pattern="#[0-9a-fA-F]{6}"
                  title="A colour like #17595c"
                  value={look.color}
                  onChange={(color) => setLook({ ...look, color })}
                />
                <TextField
                  label="Background"
                  placeholder="#f4f2ee"
                  pattern="#[0-9a-fA-F]{6}"
                  title="A colour like #f4f2ee"
                  value={look.bgColor}
                  onChange={(bgColor) => setLook({ ...look, bgColor })}
                />
              </div>
            </div>
          </details>
        ) : (
          <CopyLine value={link.data} what="hosted URL" />
        )}
      </form>
    </Dialog>
  );
}
