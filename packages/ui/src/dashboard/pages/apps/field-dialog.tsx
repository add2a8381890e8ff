import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { Field } from '#components/field.tsx';
import { changeField, type ConfigField, createField, fieldsQuery } from '../../api/fields.ts';
import { Failure } from '../../parts/failure.tsx';
import { SelectField, TextField } from '../../parts/text-field.tsx';
import { useEnvironment } from '../../shell/environment.ts';

export const fieldTypes = [
  { value: 'text', name: 'Text' },
  { value: 'textarea', name: 'Long text' },
  { value: 'number', name: 'Number' },
  { value: 'date', name: 'Date' },
  { value: 'email', name: 'Email' },
  { value: 'url', name: 'Web address' },
  { value: 'select', name: 'Choice from a list' },
] as const;

interface FieldDialogProps {
  readonly slug: string;
  /** Undefined for a new one. */
  readonly field: ConfigField | undefined;
  readonly onClose: () => void;
}

export function FieldDialog({ slug, field, onClose }: FieldDialogProps) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const id = useId();
  const [name, setName] = useState(field?.name ?? '');
  const [type, setType] = useState(field?.field_type ?? 'text');
  const [isRequired, setRequired] = useState(field?.is_required ?? false);
  const [isMultiple, setMultiple] = useState(field?.is_multiple ?? false);
  const [help, setHelp] = useState(() => textOf(field?.definition['help_text']));
  const [options, setOptions] = useState(() => linesOf(field?.definition['options']));
  const known: readonly { readonly value: string; readonly name: string }[] = fieldTypes;
  const types = known.some(({ value }) => value === type) ? known : [...known, { value: type, name: type }];
  const save = useMutation({
    mutationFn: () => {
      const input = {
        name,
        field_type: type,
        is_required: isRequired,
        is_multiple: type === 'select' && isMultiple,
        definition: {
          ...field?.definition,
          help_text: help,
          ...(type === 'select' && { options: optionsOf(options) }),
        },
      };
      return field === undefined
        ? createField(environment, slug, input)
        : changeField(environment, field.id, input);
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: fieldsQuery(environment, slug).queryKey });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      title={field === undefined ? 'Add a field' : `Edit “${field.name}”`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form={id} isBusy={save.isPending}>
            Save field
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        {save.isError && <Failure error={save.error} />}
        <TextField label="Name" isRequired required value={name} onChange={setName} />
        <SelectField label="Type" value={type} onChange={setType} options={types} />
        {type === 'select' && (
          <Field label="Options" help="One on each line: a name, or name = value.">
            {(control) => (
              <textarea
                {...control}
                className="input"
                rows={4}
                value={options}
                onChange={(event) => setOptions(event.target.value)}
              />
            )}
          </Field>
        )}
        <TextField label="Help" value={help} onChange={setHelp} />
        <label className="check">
          <input
            type="checkbox"
            checked={isRequired}
            onChange={(event) => setRequired(event.target.checked)}
          />
          Required
        </label>
        {type === 'select' && (
          <label className="check">
            <input
              type="checkbox"
              checked={isMultiple}
              onChange={(event) => setMultiple(event.target.checked)}
            />
            Several may be chosen
          </label>
        )}
      </form>
    </Dialog>
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function linesOf(options: unknown): string {
  if (!Array.isArray(options)) return '';
  return (options as { name: string; value: unknown }[])
    .map(({ name, value }) => (name === value ? name : `${name} = ${String(value)}`))
    .join('\n');
}

function optionsOf(lines: string): { name: string; value: string }[] {
  return lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const cut = line.indexOf('=');
      return cut < 0
        ? { name: line, value: line }
        : { name: line.slice(0, cut).trim(), value: line.slice(cut + 1).trim() };
    });
}
