import { Combobox } from '#components/combobox.tsx';
import { type ControlProps, Field } from '#components/field.tsx';
import { SecretInput } from '#components/secret-input.tsx';
import { Switch } from '#components/switch.tsx';
import type { InputField } from '../api/wire.ts';
import { t } from '../messages/messages.ts';

export type InputValues = Readonly<Record<string, string>>;

interface InputFieldsProps {
  readonly fields: readonly InputField[];
  readonly values: InputValues;
  readonly errors: Readonly<Record<string, string>>;
  readonly onChange: (name: string, value: string) => void;
}

/** The form an app describes for its credentials; every value is text, as the wire wants it. */
export function InputFields({ fields, values, errors, onChange }: InputFieldsProps) {
  return fields.map((field) => {
    const label = labelOf(field);
    return (
      <Field
        key={field.name}
        label={label}
        help={field.help_text || undefined}
        error={errors[field.name]}
        isRequired={isRequired(field)}
        requiredWord={t('required')}
      >
        {(control) =>
          renderControl(field, label, control, values[field.name] ?? '', (value) =>
            onChange(field.name, value),
          )
        }
      </Field>
    );
  });
}

/** What still stands in the way of sending: one sentence a field. */
export function checkInput(fields: readonly InputField[], values: InputValues): Record<string, string> {
  const missing = fields.filter((field) => isRequired(field) && (values[field.name] ?? '').trim() === '');
  return Object.fromEntries(missing.map((field) => [field.name, t('field_required')]));
}

function labelOf(field: InputField): string {
  return field.label || field.name;
}

/** A switch is always answered: off is an answer. */
function isRequired(field: InputField): boolean {
  return field.required === true && field.type !== 'boolean';
}

function renderControl(
  field: InputField,
  label: string,
  control: ControlProps,
  value: string,
  onChange: (value: string) => void,
) {
  const input = {
    ...control,
    name: field.name,
    value,
    placeholder: field.placeholder || undefined,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  switch (field.type) {
    case 'password':
      return (
        <SecretInput
          {...input}
          showLabel={t('secret_show', { field: label })}
          hideLabel={t('secret_hide', { field: label })}
        />
      );
    case 'textarea':
      return <textarea {...input} className="input" rows={4} spellCheck={false} />;
    case 'boolean':
      return <Switch label={label} isOn={value === 'true'} onChange={(isOn) => onChange(String(isOn))} />;
    case 'select':
      return (
        <Combobox
          control={control}
          choices={(field.options ?? []).map((option) => ({
            name: option.name ?? option.value,
            value: option.value,
          }))}
          selected={value === '' ? [] : [value]}
          onSelect={([chosen]) => onChange(chosen ?? '')}
          placeholder={field.placeholder || t('choose')}
          noMatchText={t('options_none')}
          removeLabel={(choice) => t('remove_choice', { choice })}
        />
      );
    case 'number':
      return <input {...input} className="input" inputMode="decimal" autoComplete="off" />;
    case 'email':
    case 'url':
      return <input {...input} className="input" type={field.type} autoComplete="off" spellCheck={false} />;
    default:
      return (
        <input
          {...input}
          className="input"
          type="text"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
        />
      );
  }
}
