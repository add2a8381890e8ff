import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useId, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { createEvent, eventsQuery } from '../../api/events.ts';
import { ApiError } from '../../api/http.ts';
import { Failure } from '../../parts/failure.tsx';
import { JsonEditor } from '../../parts/json-editor.tsx';
import { readJsonObject } from '../../parts/json-text.ts';
import { SelectField, TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { useEnvironment } from '../../shell/environment.ts';

const models: Readonly<Record<string, { readonly name: string; readonly sample: object }>> = {
  contact: {
    name: 'Contact',
    sample: { name: 'Ada Lovelace', email: 'ada@example.com', phone: '+44 20 7946 0000' },
  },
  company: { name: 'Company', sample: { name: 'Analytical Engines Ltd', website: 'https://example.com' } },
  deal: { name: 'Deal', sample: { name: 'Engine no. 2', amount: 1200, currency: 'GBP', stage: 'new' } },
};

export function NewEvent({ onClose }: { onClose: () => void }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const id = useId();
  const [model, setModel] = useState('');
  const [name, setName] = useState('');
  const [text, setText] = useState('{\n  \n}');
  const reading = readJsonObject(text);
  const create = useMutation({
    mutationFn: () => {
      if (reading.problem !== undefined) throw new Error(reading.problem);
      return createEvent(environment, { name, sample: reading.value });
    },
    onSuccess: async (event) => {
      onClose();
      toast(`${event.name} is ready to be sent`);
      await queries.invalidateQueries({ queryKey: eventsQuery(environment).queryKey });
      await navigate({
        to: '/$environment/your-app/events/$eventId',
        params: { environment, eventId: event.id },
      });
    },
  });
  const problemOf = (path: string) =>
    create.error instanceof ApiError ? create.error.problemOf(path) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reading.problem === undefined) create.mutate();
  };
  return (
    <Dialog
      title="New Event"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            type="submit"
            form={id}
            disabled={reading.problem !== undefined || name.trim() === ''}
            isBusy={create.isPending}
          >
            Create Event
          </Button>
        </>
      }
    >
      <form id={id} className="form" onSubmit={submit}>
        {create.isError && problemOf('name') === undefined && <Failure error={create.error} />}
        <SelectField
          label="Start from"
          value={model}
          onChange={(value) => {
            setModel(value);
            setText(JSON.stringify(models[value]?.sample ?? {}, null, 2));
          }}
          placeholder="Blank"
          options={Object.entries(models).map(([value, { name }]) => ({ value, name }))}
        />
        <TextField
          label="Name"
          isRequired
          placeholder="New Contact Created"
          autoComplete="off"
          error={problemOf('name')}
          value={name}
          onChange={setName}
        />
        <JsonEditor
          label="Sample data"
          help="What your product will send with the event, as a JSON object."
          text={text}
          onChange={setText}
          problem={reading.problem === undefined ? undefined : reading}
          rows={8}
        />
      </form>
    </Dialog>
  );
}
