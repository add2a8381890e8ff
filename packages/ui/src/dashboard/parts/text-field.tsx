import type { InputHTMLAttributes, ReactNode } from 'react';
import { Field } from '#components/field.tsx';

interface TextFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'> {
  readonly label: string;
  readonly help?: ReactNode;
  readonly error?: ReactNode;
  readonly isRequired?: boolean;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** One line of text with its label, help and error. */
export function TextField({ label, help, error, isRequired, value, onChange, ...rest }: TextFieldProps) {
  return (
    <Field
      label={label}
      help={help}
      error={error}
      {...(isRequired !== undefined && { isRequired })}
      requiredWord="required"
    >
      {(control) => (
        <input
          {...control}
          {...rest}
          className="input"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

interface SelectFieldProps {
  readonly label: string;
  readonly help?: ReactNode;
  readonly error?: ReactNode;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly options: readonly { readonly value: string; readonly name: string }[];
  /** Shown while nothing is chosen. */
  readonly placeholder?: string;
  readonly disabled?: boolean;
}

/** One of a few; the browser's own list, which every keyboard and screen reader knows. */
export function SelectField({
  label,
  help,
  error,
  value,
  onChange,
  options,
  placeholder,
  disabled,
}: SelectFieldProps) {
  return (
    <Field label={label} help={help} error={error}>
      {(control) => (
        <SelectBox
          {...control}
          value={value}
          onChange={onChange}
          options={options}
          placeholder={placeholder}
          disabled={disabled}
        />
      )}
    </Field>
  );
}

interface SelectBoxProps extends Pick<SelectFieldProps, 'value' | 'onChange' | 'options'> {
  readonly id?: string;
  readonly placeholder?: string | undefined;
  readonly disabled?: boolean | undefined;
}

export function SelectBox({ value, onChange, options, placeholder, ...rest }: SelectBoxProps) {
  return (
    <span className="select">
      <select {...rest} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        {placeholder !== undefined && <option value="">{placeholder}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.name}
          </option>
        ))}
      </select>
      <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M6 9l6 6 6-6" />
      </svg>
    </span>
  );
}
