import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useId, useState } from 'react';
import { Button, IconButton } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { createAccount } from '../../api/accounts.ts';
import { ApiError } from '../../api/http.ts';
import { Failure } from '../../parts/failure.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';

interface Row {
  readonly key: number;
  readonly name: string;
  readonly value: string;
}

/** Makes a linked account by hand, as the server of the SaaS company does by API. */
export function AddAccount({ onClose }: { onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const id = useId();
  const [accountId, setAccountId] = useState('');
  const [name, setName] = useState('');
  const [rows, setRows] = useState<readonly Row[]>([]);
  const create = useMutation({
    mutationFn: () => {
      const udf = Object.fromEntries(
        rows.filter((row) => row.name !== '').map((row) => [row.name, row.value]),
      );
      return createAccount(environment, {
        linked_account_id: accountId,
        ...(name !== '' && { name }),
        ...(Object.keys(udf).length > 0 && { udf }),
      });
    },
    onSuccess: async (account) => {
      onClose();
      toast(`${account.name ?? account.account_id} is linked`);
      await queries.invalidateQueries({ queryKey: [environment, 'linked-accounts'] });
      await navigate({
        to: '/$environment/linked-accounts/$accountId',
        params: { environment, accountId: account.account_id },
      });
    },
  });
  const change = (key: number, part: Partial<Row>) =>
    setRows(rows.map((row) => (row.key === key ? { ...row, ...part } : row)));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const problem = create.error instanceof ApiError ? create.error.problemOf('linked_account_id') : undefined;
  return (
    <Dialog
      title="Add a linked account"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form={id} isBusy={create.isPending}>
            Add account
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        {create.isError && problem === undefined && <Failure error={create.error} />}
        <TextField
          label="ID"
          isRequired
          required
          help="The id that your own product uses for this customer."
          autoComplete="off"
          spellCheck={false}
          error={problem}
          value={accountId}
          onChange={setAccountId}
        />
        <TextField label="Name" autoComplete="off" value={name} onChange={setName} />
        <fieldset className="bare-fieldset">
          <legend>User-defined fields</legend>
          {rows.map((row) => (
            <div key={row.key} className="kv">
              <input
                className="input"
                aria-label="Field name"
                placeholder="plan"
                value={row.name}
                onChange={(event) => change(row.key, { name: event.target.value })}
              />
              <input
                className="input"
                aria-label="Field value"
                placeholder="enterprise"
                value={row.value}
                onChange={(event) => change(row.key, { value: event.target.value })}
              />
              <IconButton
                label={`Remove the field ${row.name}`}
                icon="cross"
                onClick={() => setRows(rows.filter((other) => other !== row))}
              />
            </div>
          ))}
          <div>
            <Button
              icon="plus"
              onClick={() => setRows([...rows, { key: (rows.at(-1)?.key ?? 0) + 1, name: '', value: '' }])}
            >
              Add a field
            </Button>
          </div>
        </fieldset>
      </form>
    </Dialog>
  );
}
