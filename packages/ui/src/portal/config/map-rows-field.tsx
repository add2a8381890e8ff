import { useRef } from 'react';
import { Button, IconButton } from '#components/button.tsx';
import { Combobox } from '#components/combobox.tsx';
import type { ConfigField, MapColumn, OptionValue } from '../api/wire.ts';
import { t } from '../messages/messages.ts';
import { asList, choicesOf, type MapRow } from './draft.ts';

interface MapRowsFieldProps {
  readonly field: ConfigField;
  readonly rows: readonly MapRow[];
  readonly isDisabled: boolean;
  readonly onChange: (rows: readonly MapRow[]) => void;
}

/** Pairs of a source and a target; a source is offered once only. */
export function MapRowsField({ field, rows, isDisabled, onChange }: MapRowsFieldProps) {
  const list = useRef<HTMLUListElement>(null);
  const lhs = field.mapping?.lhs ?? {};
  const rhs = field.mapping?.rhs ?? {};
  const lhsName = lhs.name || t('map_source');
  const rhsName = rhs.name || t('map_target');
  const replace = (index: number, row: MapRow) => onChange(rows.map((old, i) => (i === index ? row : old)));
  const add = () => {
    onChange([...rows, { lhs: undefined, rhs: undefined }]);
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>('li:last-child input')?.focus());
  };
  return (
    <div className="map">
      {rows.length > 0 && (
        <div className="map-headings" aria-hidden="true">
          <span>{lhsName}</span>
          <span>{rhsName}</span>
        </div>
      )}
      <ul ref={list}>
        {rows.map((row, index) => {
          const taken = new Set(rows.filter((_, other) => other !== index).map((other) => String(other.lhs)));
          const left = lhs.options && {
            ...lhs,
            options: choicesOf(lhs.options).filter((o) => !taken.has(String(o.value))),
          };
          return (
            // Rows have no identity of their own, and every control in them is controlled.
            <li key={index} className="map-pair">
              <Side
                column={left ?? lhs}
                label={t('map_row', { number: index + 1, column: lhsName })}
                value={row.lhs}
                isDisabled={isDisabled}
                onChange={(value) => replace(index, { ...row, lhs: value as OptionValue | undefined })}
              />
              <Side
                column={rhs}
                label={t('map_row', { number: index + 1, column: rhsName })}
                value={row.rhs}
                isDisabled={isDisabled}
                onChange={(value) => replace(index, { ...row, rhs: value })}
              />
              <IconButton
                icon="cross"
                label={t('map_remove', { number: index + 1 })}
                onClick={() => onChange(rows.filter((_, other) => other !== index))}
              />
            </li>
          );
        })}
      </ul>
      <Button icon="plus" onClick={add} disabled={isDisabled}>
        {t('map_add')}
      </Button>
    </div>
  );
}

interface SideProps {
  readonly column: MapColumn;
  readonly label: string;
  readonly value: unknown;
  readonly isDisabled: boolean;
  readonly onChange: (value: unknown) => void;
}

function Side({ column, label, value, isDisabled, onChange }: SideProps) {
  if (column.options === undefined) {
    return (
      <input
        className="input"
        aria-label={label}
        value={typeof value === 'string' || typeof value === 'number' ? value : ''}
        disabled={isDisabled}
        onChange={(event) => onChange(event.target.value)}
      />
    );
  }
  return (
    <Combobox
      control={{}}
      label={label}
      choices={choicesOf(column.options).toSorted((a, b) => a.name.localeCompare(b.name))}
      selected={asList(value)}
      onSelect={(chosen) => onChange(column.multiple === true ? chosen : chosen[0])}
      isMultiple={column.multiple === true}
      isDisabled={isDisabled}
      placeholder={t('choose')}
      noMatchText={t('options_none')}
      removeLabel={(choice) => t('remove_choice', { choice })}
    />
  );
}
