import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { setVariable, type Variable } from '../../api/variables.ts';
import { Failure } from '../../parts/failure.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';

const owners = {
  linked_account: { field: 'linked_account_id', label: 'Linked account', help: 'The id that you gave it.' },
  workflow: { field: 'workflow_id', label: 'Workflow', help: 'Its id, from the address of its page.' },
} as const;

/** Sets the value in the environment that is looked at. */
export function SetValue({ variable, onClose }: { variable: Variable; onClose: () => void }) {
  const environment = useEnvironment();
  const toast = useToast();
  const id = useId();
  const [owner, setOwner] = useState('');
  const [value, setValue] = useState('');
  const { scope } = variable;
  const wanted = scope === 'linked_account' || scope === 'workflow' ? owners[scope] : undefined;
  const save = useMutation({
    mutationFn: () =>
      setVariable(environment, variable.id, {
        value,
        ...(wanted !== undefined && { [wanted.field]: owner }),
      }),
    onSuccess: () => {
      onClose();
      toast(`${variable.name} has its value for ${environment}`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      title={`Value of ${variable.name}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            type="submit"
            form={id}
            disabled={value === '' || (wanted !== undefined && owner.trim() === '')}
            isBusy={save.isPending}
          >
            Save Value
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        {save.isError && <Failure error={save.error} />}
        {wanted !== undefined && (
          <TextField label={wanted.label} help={wanted.help} isRequired value={owner} onChange={setOwner} />
        )}
        <TextField
          label={`Value for ${environment}`}
          isRequired
          autoComplete="off"
          type={variable.is_encrypted ? 'password' : 'text'}
          help={variable.is_encrypted ? 'It replaces what is there, and nobody can read it back.' : undefined}
          value={value}
          onChange={setValue}
        />
      </form>
    </Dialog>
  );
}
