import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { type Variable, variablesQuery } from '../../api/variables.ts';
import { Page, Piece } from '../../parts/page.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { useEnvironment } from '../../shell/environment.ts';
import { NewVariable } from './new-variable.tsx';
import { scopeNames } from './scopes.ts';
import { SetValue } from './set-value.tsx';

/** Values that workflows read by name, secrets among them. */
export function VariablesPage() {
  const environment = useEnvironment();
  const query = useQuery(variablesQuery(environment));
  const [isMaking, setMaking] = useState(false);
  const [changed, setChanged] = useState<Variable>();
  const create = (
    <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>
      New Variable
    </Button>
  );
  return (
    <Page
      title="Variables"
      lead="Values that workflows read by name. They differ between test and production."
      actions={create}
    >
      <Piece isFlush>
        <Loaded query={query}>
          {(variables) =>
            variables.length === 0 ? (
              <Empty icon="box" title="No variable yet" actions={create}>
                Keep what differs between environments or customers out of the workflow: addresses, limits,
                and keys, which stay unreadable once they are stored.
              </Empty>
            ) : (
              <Table columns={['Variable', 'Belongs to', 'Kind', '']}>
                {variables.map((variable) => (
                  <tr key={variable.id}>
                    <td>
                      <code>{`{{env.${variable.scope}.${variable.name}}}`}</code>
                      {variable.description !== '' && <div className="muted">{variable.description}</div>}
                    </td>
                    <td>{scopeNames[variable.scope]}</td>
                    <td>{variable.is_encrypted ? `Encrypted ${variable.format}` : variable.format}</td>
                    <td>
                      <Button icon="pencil" onClick={() => setChanged(variable)}>
                        Set value
                      </Button>
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Loaded>
      </Piece>
      {isMaking && <NewVariable onClose={() => setMaking(false)} />}
      {changed !== undefined && <SetValue variable={changed} onClose={() => setChanged(undefined)} />}
    </Page>
  );
}
