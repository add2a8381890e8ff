import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { AppLogo } from '#components/app-logo.tsx';
import { Button } from '#components/button.tsx';
import { ApiError } from '../../api/http.ts';
import { changeOrganization, type Organization, organizationQuery } from '../../api/organization.ts';
import { sessionQuery } from '../../api/session.ts';
import { CopyLine } from '../../parts/copy.tsx';
import { Failure } from '../../parts/failure.tsx';
import { Page, Piece } from '../../parts/page.tsx';
import { Loaded } from '../../parts/states.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useToast } from '../../parts/toast.tsx';

export function OrganisationPage() {
  const query = useQuery(organizationQuery);
  return (
    <Page title="Organisation" lead="How your company appears to your users and to Inlay.">
      <Loaded query={query}>
        {(organization) => <Form key={JSON.stringify(organization)} organization={organization} />}
      </Loaded>
    </Page>
  );
}

function Form({ organization }: { organization: Organization }) {
  const queries = useQueryClient();
  const toast = useToast();
  const stored = {
    name: organization.name,
    website: organization.website ?? '',
    logo: organization.logo ?? '',
  };
  const [draft, setDraft] = useState(stored);
  const isDirty = JSON.stringify(draft) !== JSON.stringify(stored);
  const save = useMutation({
    mutationFn: () =>
      changeOrganization({ name: draft.name, website: draft.website || null, logo: draft.logo || null }),
    onSuccess: async (changed) => {
      queries.setQueryData(organizationQuery.queryKey, changed);
      toast('Organisation saved');
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
  });
  const field = (name: keyof typeof stored) => ({
    value: draft[name],
    onChange: (value: string) => setDraft({ ...draft, [name]: value }),
    error: save.error instanceof ApiError ? save.error.problemOf(name) : undefined,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form className="stack" onSubmit={submit}>
      <Piece title="Profile">
        <TextField label="Name" isRequired required {...field('name')} />
        <TextField label="Website" type="url" placeholder="https://example.com" {...field('website')} />
        <div className="row">
          <div className="grow">
            <TextField
              label="Logo"
              type="url"
              placeholder="https://example.com/logo.svg"
              help="A public address of your logo. Your users see it on the hosted page."
              {...field('logo')}
            />
          </div>
          <AppLogo name={draft.name || '?'} src={draft.logo || undefined} size="large" />
        </div>
      </Piece>
      <Piece title="Identity">
        <dl className="facts">
          <dt>Slug</dt>
          <dd>
            <CopyLine value={organization.slug} what="slug" />
          </dd>
          <dt>ID</dt>
          <dd>
            <CopyLine value={organization.id} what="organisation id" />
          </dd>
          <dt>Email</dt>
          <dd>{organization.email ?? '–'}</dd>
        </dl>
      </Piece>
      {save.isError && <Failure title="Not saved" error={save.error} />}
      <div className="save-bar">
        <Button disabled={!isDirty} onClick={() => setDraft(stored)}>
          Discard
        </Button>
        <Button kind="primary" type="submit" disabled={!isDirty} isBusy={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
