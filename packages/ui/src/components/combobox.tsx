import { type KeyboardEvent, useId, useRef, useState } from 'react';
import type { ControlProps } from './field.tsx';
import { Icon } from './icon.tsx';

export interface Choice<Value> {
  readonly name: string;
  readonly value: Value;
}

interface ComboboxProps<Value> {
  readonly control: Partial<ControlProps>;
  /** Names the control where no visible label does. */
  readonly label?: string;
  readonly choices: readonly Choice<Value>[];
  readonly selected: readonly Value[];
  readonly onSelect: (selected: readonly Value[]) => void;
  readonly isMultiple?: boolean;
  readonly isDisabled?: boolean;
  readonly placeholder: string;
  readonly noMatchText: string;
  readonly clearLabel?: string;
  readonly removeLabel: (name: string) => string;
}

/**
 * A list to choose from, one or many, with a search in it: the combobox pattern of the ARIA practices guide.
 * Typing filters, arrows move, Enter chooses, Esc closes; what is chosen keeps the type it came with.
 */
export function Combobox<Value extends string | number>(props: ComboboxProps<Value>) {
  const { control, choices, selected, onSelect, isMultiple = false, isDisabled = false } = props;
  const [query, setQuery] = useState<string | undefined>(undefined);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();

  const isOpen = query !== undefined;
  const needle = (query ?? '').trim().toLowerCase();
  const shown = choices.filter((choice) => choice.name.toLowerCase().includes(needle));
  const nameOf = (value: Value) => choices.find((choice) => choice.value === value)?.name ?? String(value);
  const single = !isMultiple && selected.length > 0 ? nameOf(selected[0]!) : '';

  const open = () => {
    if (isOpen || isDisabled) return;
    setQuery('');
    setActive(
      Math.max(
        0,
        choices.findIndex((choice) => choice.value === selected[0]),
      ),
    );
  };
  const close = () => setQuery(undefined);
  const choose = (choice: Choice<Value> | undefined) => {
    if (choice === undefined) return;
    if (!isMultiple) {
      onSelect([choice.value]);
      close();
      return;
    }
    const without = selected.filter((value) => value !== choice.value);
    onSelect(without.length < selected.length ? without : [...selected, choice.value]);
    setQuery('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      if (!isOpen) open();
      else if (shown.length > 0) setActive((active + move + shown.length) % shown.length);
    } else if (event.key === 'Enter' && isOpen) {
      event.preventDefault();
      choose(shown[active]);
    } else if (event.key === 'Escape' && isOpen) {
      // Only the list closes, not a dialog around it.
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === 'Backspace' && isMultiple && needle === '' && selected.length > 0) {
      onSelect(selected.slice(0, -1));
    }
  };

  return (
    <div className="combobox" data-open={isOpen || undefined}>
      {isMultiple && selected.length > 0 && (
        <ul className="combobox-chosen">
          {selected.map((value) => (
            <li key={String(value)} className="tag">
              <span>{nameOf(value)}</span>
              <button
                type="button"
                aria-label={props.removeLabel(nameOf(value))}
                onClick={() => {
                  onSelect(selected.filter((other) => other !== value));
                  input.current?.focus();
                }}
              >
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="input-group">
        <input
          {...control}
          ref={input}
          className="input"
          role="combobox"
          aria-label={props.label}
          aria-expanded={isOpen}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={isOpen && shown.length > 0 ? `${listId}-${active}` : undefined}
          autoComplete="off"
          spellCheck={false}
          disabled={isDisabled}
          placeholder={isOpen && single !== '' ? single : props.placeholder}
          value={query ?? single}
          onFocus={(event) => event.target.select()}
          onMouseDown={open}
          onBlur={close}
          onKeyDown={onKeyDown}
          onChange={(event) => {
            setQuery(event.target.value);
            setActive(0);
          }}
        />
        {props.clearLabel !== undefined && !isMultiple && selected.length > 0 && !isDisabled && (
          <button
            type="button"
            className="combobox-clear"
            aria-label={props.clearLabel}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => {
              onSelect([]);
              close();
            }}
          >
            <Icon name="cross" />
          </button>
        )}
        <span className="combobox-arrow">
          <Icon name="chevronDown" />
        </span>
      </div>
      <ul
        id={listId}
        className="combobox-list"
        role="listbox"
        aria-label={props.label ?? props.placeholder}
        aria-multiselectable={isMultiple || undefined}
        hidden={!isOpen}
      >
        {isOpen &&
          shown.map((choice, index) => (
            <li
              key={String(choice.value)}
              id={`${listId}-${index}`}
              role="option"
              aria-selected={selected.includes(choice.value)}
              data-active={index === active || undefined}
              ref={(element) => {
                if (index === active) element?.scrollIntoView({ block: 'nearest' });
              }}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(choice)}
            >
              <span>{choice.name}</span>
              {selected.includes(choice.value) && <Icon name="check" />}
            </li>
          ))}
      </ul>
      {isOpen && shown.length === 0 && (
        <p className="combobox-none" role="status">
          {props.noMatchText}
        </p>
      )}
    </div>
  );
}
