import { useId } from 'react';
import { Combobox } from '#components/combobox.tsx';
import type { ConfigField } from '../api/wire.ts';
import { t } from '../messages/messages.ts';
import { asList } from './draft.ts';

interface MapFieldProps {
  readonly field: ConfigField;
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly isDisabled: boolean;
  readonly onChange: (value: Readonly<Record<string, unknown>>) => void;
}

/** One row for each of the SaaS company's fields, with the app's field that answers it. */
export function MapField({ field, value = {}, isDisabled, onChange }: MapFieldProps) {
  const id = useId();
  const labels = field.labels ?? [];
  const set = (label: (typeof labels)[number], chosen: readonly (string | number)[]) => {
    const { [String(label.value)]: _, ...others } = value;
    if (chosen.length === 0) onChange(others);
    else onChange({ ...others, [String(label.value)]: label.multiple === true ? chosen : chosen[0] });
  };
  return (
    <ul className="map">
      {labels.map((label, index) => (
        <li key={String(label.value)} className="map-row">
          <label className="map-from" htmlFor={`${id}-${index}`}>
            {label.name}
          </label>
          <Combobox
            control={{ id: `${id}-${index}` }}
            choices={field.options ?? []}
            selected={asList(value[String(label.value)])}
            onSelect={(chosen) => set(label, chosen)}
            isMultiple={label.multiple === true}
            isDisabled={isDisabled}
            placeholder={t('map_nothing')}
            noMatchText={t('options_none')}
            clearLabel={t('clear_choice', { field: label.name })}
            removeLabel={(choice) => t('remove_choice', { choice })}
          />
        </li>
      ))}
    </ul>
  );
}
