import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import type { AppDetail } from '../../api/apps.ts';
import { type ConfigField, deleteField, fieldsQuery } from '../../api/fields.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { useApp } from './app-layout.tsx';
import { FieldDialog, fieldTypes } from './field-dialog.tsx';

/** What customers choose for this app after they connected it. */
export function AppFieldsPage() {
  return <Loaded query={useApp()}>{(app) => <Fields app={app} />}</Loaded>;
}

function Fields({ app }: { app: AppDetail }) {
  const environment = useEnvironment();
  const queries = useQueryClient();
  const query = useQuery(fieldsQuery(environment, app.slug));
  const [editing, setEditing] = useState<ConfigField | 'new'>();
  const [deleting, setDeleting] = useState<ConfigField>();
  const add = (
    <Button kind="primary" icon="plus" disabled={!app.is_enabled} onClick={() => setEditing('new')}>
      Add field
    </Button>
  );
  return (
    <Piece
      title="Config fields"
      note="What your customers choose after they connected. Workflows read it as {{config.…}}."
      actions={add}
      isFlush
    >
      <Loaded query={query}>
        {(fields) =>
          fields.length === 0 ? (
            <Empty icon="settings" title="Nothing to choose">
              {app.is_enabled
                ? 'Customers connect and are done. Add a field when a workflow needs a choice of theirs, such as a sheet or a default owner.'
                : 'Enable the app first, then add fields that your customers fill in.'}
            </Empty>
          ) : (
            <ul className="list-plain">
              {fields.map((field) => (
                <li key={field.id} className="row-between">
                  <div>
                    <strong>{field.name}</strong>
                    <p className="muted small">
                      {fieldTypes.find(({ value }) => value === field.field_type)?.name ?? field.field_type}
                      {field.is_required ? ', required' : ''}
                      {field.is_multiple ? ', several values' : ''}
                      {field.workflow_id === null ? '' : ', of one workflow'}
                    </p>
                  </div>
                  <div className="row">
                    <Button icon="pencil" onClick={() => setEditing(field)}>
                      Edit
                    </Button>
                    <Button kind="plain" icon="trash" onClick={() => setDeleting(field)}>
                      Delete
                    </Button>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {editing !== undefined && (
        <FieldDialog
          slug={app.slug}
          field={editing === 'new' ? undefined : editing}
          onClose={() => setEditing(undefined)}
        />
      )}
      {deleting !== undefined && (
        <Confirm
          title={`Delete the field “${deleting.name}”?`}
          verb="Delete field"
          onConfirm={async () => {
            await deleteField(environment, deleting.id);
            await queries.invalidateQueries({ queryKey: fieldsQuery(environment, app.slug).queryKey });
          }}
          onClose={() => setDeleting(undefined)}
        >
          <p>Workflows that read it find nothing any more. What customers chose is lost.</p>
        </Confirm>
      )}
    </Piece>
  );
}
