import { Combobox, useCombobox } from '@mantine/core';
import { useId, useState } from 'react';
import { Icon } from '#components/icon.tsx';
import type { Scope } from '../../api/apps.ts';

// RFC 6749 §3.3: printable ASCII without space, quote and backslash.
const scopeShape = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

interface ScopePickerProps {
  readonly offered: readonly Scope[];
  readonly mandatory: readonly Scope[];
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
}

/** Chosen scopes as chips; the list offers the provider's own, and typing any other adds it as a custom one. */
export function ScopePicker({ offered, mandatory, chosen, onChange }: ScopePickerProps) {
  const [text, setText] = useState('');
  const id = useId();
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() });

  const needle = text.trim();
  const isTaken = (scope: string) => chosen.includes(scope) || mandatory.some(({ id }) => id === scope);
  const shown = offered.filter(
    (scope) =>
      !isTaken(scope.id) && `${scope.id} ${scope.description}`.toLowerCase().includes(needle.toLowerCase()),
  );
  const isNew =
    needle !== '' &&
    !isTaken(needle) &&
    !offered.some((scope) => scope.id === needle) &&
    scopeShape.test(needle);
  const add = (scope: string) => {
    onChange([...chosen, scope]);
    setText('');
    combobox.updateSelectedOptionIndex();
  };
  const descriptionOf = (scope: string) =>
    offered.find(({ id }) => id === scope)?.description ?? 'Custom scope';

  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        Optional and custom scopes
      </label>
      <div className="field-help" id={`${id}-help`}>
        Choose from the list, or type a scope of the provider that is not in it and press Enter.
      </div>
      {chosen.length > 0 && (
        <ul className="combobox-chosen" aria-label="Chosen scopes">
          {chosen.map((scope) => (
            <li key={scope} className="tag" title={descriptionOf(scope)}>
              <code>{scope}</code>
              <button
                type="button"
                aria-label={`Remove ${scope}`}
                onClick={() => onChange(chosen.filter((other) => other !== scope))}
              >
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <Combobox
        store={combobox}
        onOptionSubmit={add}
        withinPortal={false}
        position="bottom-start"
        // Above the field it would cover the chips.
        middlewares={{ flip: false }}
      >
        <Combobox.Target withExpandedAttribute>
          <input
            id={id}
            className="input"
            aria-describedby={`${id}-help`}
            role="combobox"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            placeholder="Add a scope"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              combobox.openDropdown();
              combobox.resetSelectedOption();
            }}
            onClick={() => combobox.openDropdown()}
            onFocus={() => combobox.openDropdown()}
            onBlur={() => combobox.closeDropdown()}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || combobox.selectedOptionIndex >= 0) return;
              event.preventDefault();
              if (offered.some((scope) => scope.id === needle && !isTaken(needle)) || isNew) add(needle);
            }}
          />
        </Combobox.Target>
        <Combobox.Dropdown hidden={shown.length === 0 && !isNew}>
          <Combobox.Options aria-label="Scopes of the provider">
            {shown.map((scope) => (
              <Combobox.Option key={scope.id} value={scope.id}>
                <code>{scope.id}</code>
                <div className="muted small">{scope.description}</div>
              </Combobox.Option>
            ))}
            {isNew && (
              <Combobox.Option value={needle}>
                Add custom scope <code>{needle}</code>
              </Combobox.Option>
            )}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
    </div>
  );
}

/** What is always asked for. There is no way to remove one here. */
export function MandatoryScopes({ scopes }: { scopes: readonly Scope[] }) {
  if (scopes.length === 0) return null;
  return (
    <section aria-label="Mandatory scopes">
      <h3 className="muted small">MANDATORY · {scopes.length}</h3>
      <ul className="scope-list">
        {scopes.map((scope) => (
          <li key={scope.id}>
            <Icon name="shield" />
            <code>{scope.id}</code>
            <span>{scope.description}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
