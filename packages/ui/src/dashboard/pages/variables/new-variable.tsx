import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { ApiError } from '../../api/http.ts';
import { createVariable, type Variable, variablesQuery, type VariableScope } from '../../api/variables.ts';
import { Failure } from '../../parts/failure.tsx';
import { SelectField, TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { scopeNames } from './scopes.ts';

const formats = { string: 'Text', number: 'Number', url: 'Address (URL)' } as const;

export function NewVariable({ onClose }: { onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const toast = useToast();
  const id = useId();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [scope, setScope] = useState<VariableScope>('org');
  const [format, setFormat] = useState<Variable['format']>('string');
  const [secrecy, setSecrecy] = useState<'readable' | 'encrypted'>('readable');
  const create = useMutation({
    mutationFn: () =>
      createVariable(environment, {
        name,
        description,
        scope,
        format,
        is_encrypted: secrecy === 'encrypted',
      }),
    onSuccess: async (variable) => {
      onClose();
      toast(`${variable.name} is ready for its value`);
      await queries.invalidateQueries({ queryKey: variablesQuery(environment).queryKey });
    },
  });
  const problemOf = (path: string) =>
    create.error instanceof ApiError ? create.error.problemOf(path) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Dialog
      title="New Variable"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            type="submit"
            form={id}
            disabled={name.trim() === ''}
            isBusy={create.isPending}
          >
            Create Variable
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        {create.isError && problemOf('name') === undefined && <Failure error={create.error} />}
        <TextField
          label="Name"
          isRequired
          placeholder="API_BASE_URL"
          autoComplete="off"
          help="Name, owner, format and secrecy stay as they are now."
          error={problemOf('name')}
          value={name}
          onChange={setName}
        />
        <TextField label="Description" value={description} onChange={setDescription} />
        <SelectField
          label="Belongs to"
          value={scope}
          onChange={(value) => setScope(value as VariableScope)}
          options={Object.entries(scopeNames).map(([value, name]) => ({ value, name }))}
        />
        <SelectField
          label="Format"
          value={format}
          onChange={(value) => setFormat(value as Variable['format'])}
          options={Object.entries(formats).map(([value, name]) => ({ value, name }))}
        />
        <SelectField
          label="Secrecy"
          value={secrecy}
          onChange={(value) => setSecrecy(value === 'encrypted' ? 'encrypted' : 'readable')}
          options={[
            { value: 'readable', name: 'Readable here' },
            { value: 'encrypted', name: 'Encrypted: nobody reads it back' },
          ]}
        />
      </form>
    </Dialog>
  );
}
