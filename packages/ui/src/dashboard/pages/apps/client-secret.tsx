import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { Field } from '#components/field.tsx';
import { SecretInput } from '#components/secret-input.tsx';
import { SecretLine } from '../../parts/copy.tsx';

interface ClientSecretProps {
  readonly isStored: boolean;
  readonly reveal: () => Promise<string>;
  /** The new secret; undefined while the stored one stays. */
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
  readonly error?: string | undefined;
}

/** A stored secret stays on the server, masked, until it is revealed, copied or replaced. */
export function ClientSecret({ isStored, reveal, value, onChange, error }: ClientSecretProps) {
  const [isEditing, setEditing] = useState(!isStored);
  if (isStored && !isEditing) {
    return (
      <div className="field">
        <span className="field-label">Client Secret</span>
        <div className="row">
          <div className="grow">
            <SecretLine what="Client Secret" hint="••••••••••••••••" reveal={reveal} />
          </div>
          <Button icon="pencil" onClick={() => setEditing(true)}>
            Replace
          </Button>
        </div>
      </div>
    );
  }
  return (
    <Field label="Client Secret" error={error} isRequired requiredWord="required">
      {(control) => (
        <div className="row">
          <div className="grow">
            <SecretInput
              {...control}
              showLabel="Show Client Secret"
              hideLabel="Hide Client Secret"
              value={value ?? ''}
              onChange={(event) => onChange(event.target.value === '' ? undefined : event.target.value)}
            />
          </div>
          {isStored && (
            <Button
              onClick={() => {
                onChange(undefined);
                setEditing(false);
              }}
            >
              Keep the stored one
            </Button>
          )}
        </div>
      )}
    </Field>
  );
}
