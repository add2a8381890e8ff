import { useEffect, useState } from 'react';
import { Button } from '#components/button.tsx';
import { Combobox } from '#components/combobox.tsx';
import { type ControlProps, Field } from '#components/field.tsx';
import { SecretInput } from '#components/secret-input.tsx';
import { Switch } from '#components/switch.tsx';
import type { ConfigField } from '../api/wire.ts';
import { t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';
import { asList, isBlank, isMany, kindOf, type MapRow, readField } from './draft.ts';
import { MapField } from './map-field.tsx';
import { MapRowsField } from './map-rows-field.tsx';
import { RuleField } from './rule-field.tsx';

interface ConfigFieldRowProps {
  readonly slug: string;
  readonly field: ConfigField;
  readonly workflowId: string | undefined;
  readonly parent: ConfigField | undefined;
  readonly parentEntry: unknown;
  readonly entry: unknown;
  readonly problem: string | undefined;
  readonly onChange: (entry: unknown) => void;
}

/** One field of a config, with its choices kept in step with the field they hang on. */
export function ConfigFieldRow(props: ConfigFieldRowProps) {
  const { field, parent, problem, onChange, entry } = props;
  const { current, isLoading, isFailed, reload, needsParent } = useChoices(props);
  const kind = kindOf(current);
  const isGroup = kind === 'map' || kind === 'map_v2' || kind === 'rule_engine';
  const help = (
    <>
      {field.help_text}
      {needsParent && <p>{t('options_need_parent', { parent: parent?.name ?? '' })}</p>}
      {isLoading && <p>{t('options_loading')}</p>}
    </>
  );
  const error =
    problem === undefined && !isFailed ? undefined : (
      <>
        {problem ?? t('options_failed')}
        {(isFailed || (problem !== undefined && needsChoices(field) && isBlank(current.options))) && (
          <Button kind="plain" icon="refresh" onClick={reload}>
            {t('retry')}
          </Button>
        )}
      </>
    );
  return (
    <Field
      label={field.name}
      help={field.help_text || needsParent || isLoading ? help : undefined}
      error={error}
      isRequired={field.required === true && kind !== 'boolean'}
      requiredWord={t('required')}
      isGroup={isGroup}
    >
      {(control) => (
        <Control
          {...props}
          field={current}
          control={control}
          entry={entry}
          isDisabled={needsParent || isLoading}
          onChange={onChange}
        />
      )}
    </Field>
  );
}

interface ControlOfFieldProps extends ConfigFieldRowProps {
  readonly control: ControlProps;
  readonly isDisabled: boolean;
}

function Control({ slug, field, workflowId, control, entry, isDisabled, onChange }: ControlOfFieldProps) {
  const text = typeof entry === 'string' ? entry : '';
  const input = {
    ...control,
    className: 'input',
    value: text,
    placeholder: field.placeholder || undefined,
    autoComplete: 'off',
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  const kind = kindOf(field);
  switch (kind) {
    case 'email':
    case 'url':
    case 'date':
      return <input {...input} type={kind} />;
    case 'number':
      return <input {...input} type="text" inputMode="decimal" />;
    case 'textarea':
      return <textarea {...input} rows={3} />;
    case 'json':
      return <textarea {...input} className="input code" rows={6} spellCheck={false} />;
    case 'password':
      return (
        <SecretInput
          {...input}
          placeholder={field.value === undefined ? field.placeholder || undefined : t('secret_stored')}
          showLabel={t('secret_show', { field: field.name })}
          hideLabel={t('secret_hide', { field: field.name })}
        />
      );
    case 'boolean':
      return (
        <Switch
          label={field.name}
          isOn={entry === true}
          onChange={onChange}
          describedBy={control['aria-describedby']}
        />
      );
    case 'select':
      return (
        <Combobox
          control={control}
          choices={field.options ?? []}
          selected={asList(entry)}
          onSelect={onChange}
          isMultiple={isMany(field)}
          isDisabled={isDisabled}
          placeholder={field.placeholder || t('choose')}
          noMatchText={t((field.options ?? []).length === 0 ? 'options_empty' : 'options_none')}
          {...(field.required !== true && { clearLabel: t('clear_choice', { field: field.name }) })}
          removeLabel={(choice) => t('remove_choice', { choice })}
        />
      );
    case 'map':
      return (
        <MapField
          field={field}
          value={entry as Record<string, unknown>}
          isDisabled={isDisabled}
          onChange={onChange}
        />
      );
    case 'map_v2':
      return (
        <MapRowsField
          field={field}
          rows={(entry as readonly MapRow[] | undefined) ?? []}
          isDisabled={isDisabled}
          onChange={onChange}
        />
      );
    case 'rule_engine':
      return (
        <RuleField
          target={{ slug, fieldId: field.id, workflowId }}
          field={field}
          value={entry}
          onChange={onChange}
        />
      );
    default:
      return <input {...input} type="text" />;
  }
}

/** The field with the choices that belong to what its parent holds on the screen, saved or not. */
function useChoices({ slug, field, workflowId, parent, parentEntry }: ConfigFieldRowProps) {
  const { api } = usePortal();
  const [loaded, setLoaded] = useState<{ of: string; field?: ConfigField }>();
  const [round, setRound] = useState(0);
  const reading = parent && readField(parent, parentEntry);
  const parentValue = reading !== undefined && 'value' in reading ? reading.value : undefined;
  const needsParent = parent !== undefined && isBlank(parentValue);
  const savedParent = JSON.stringify(parent?.value ?? parent?.defaultValue);
  const wanted = JSON.stringify(parentValue ?? undefined);
  // The config came with the choices for what is saved; they are loaded for anything else, and on demand.
  const mustLoad = !needsParent && (round > 0 || (parent !== undefined && wanted !== savedParent));
  const key = `${round}/${wanted}`;

  useEffect(() => {
    if (!mustLoad) return undefined;
    const abort = new AbortController();
    api.loadField({ slug, fieldId: field.id, workflowId }, parentValue, abort.signal).then(
      (fresh) => setLoaded({ of: key, field: fresh }),
      () => {
        if (!abort.signal.aborted) setLoaded({ of: key });
      },
    );
    return () => abort.abort();
    // `key` stands for the parent's value.
  }, [api, slug, field.id, workflowId, mustLoad, key]);

  const isCurrent = loaded?.of === key;
  const fresh = mustLoad && isCurrent ? loaded.field : undefined;
  const { options: _options, ...withoutChoices } = field;
  const current: ConfigField =
    fresh === undefined
      ? mustLoad || needsParent
        ? withoutChoices
        : field
      : {
          ...withoutChoices,
          ...(fresh.options !== undefined && { options: fresh.options }),
          ...(fresh.labels !== undefined && { labels: fresh.labels }),
          ...(fresh.mapping !== undefined && { mapping: fresh.mapping }),
        };
  return {
    current,
    needsParent,
    isLoading: mustLoad && !isCurrent,
    isFailed: mustLoad && isCurrent && loaded.field === undefined,
    reload: () => setRound(round + 1),
  };
}

function needsChoices(field: ConfigField): boolean {
  return ['select', 'map', 'map_v2', 'rule_engine'].includes(kindOf(field));
}
