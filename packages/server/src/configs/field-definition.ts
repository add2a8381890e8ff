import { isRecord } from '#domain/exact-json';
import type { FieldOption } from '#domain/config-field';
import type { StoredField } from '#db/config-field';

/** What is known of a field beside its columns; read leniently, since the dashboard writes it. */
export interface FieldDefinition {
  readonly options: readonly FieldOption[] | undefined;
  readonly labels: readonly FieldOption[] | undefined;
  /** Field whose value decides the choices of this one. */
  readonly parent: string | undefined;
  readonly placeholder: string | undefined;
  readonly helpText: string | undefined;
  readonly page: string | undefined;
  readonly defaultValue: unknown;
  /** Name of the app's live list that offers the choices. */
  readonly liveOptions: string | undefined;
  /** Name under which callers of `config` hand over the left sides of a map. */
  readonly labelsObject: string | undefined;
  readonly mapping: Readonly<Record<string, unknown>> | undefined;
  readonly ruleColumns: Readonly<Record<string, unknown>> | undefined;
}

export function readDefinition(field: Pick<StoredField, 'definition'>): FieldDefinition {
  const raw = field.definition;
  return {
    options: readOptions(raw['options']),
    labels: readOptions(raw['labels']),
    parent: text(raw['parent']),
    placeholder: text(raw['placeholder']),
    helpText: text(raw['help_text']),
    page: text(raw['associated_page']),
    defaultValue: raw['default_value'],
    liveOptions: text(raw['live_options']),
    labelsObject: text(raw['labels_object']),
    mapping: isRecord(raw['mapping']) ? raw['mapping'] : undefined,
    ruleColumns: isRecord(raw['rule_columns']) ? raw['rule_columns'] : undefined,
  };
}

/** `[{name, value}]`, or plain texts that are both. */
export function readOptions(raw: unknown): FieldOption[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  return raw.flatMap((item: unknown): FieldOption[] => {
    if (typeof item === 'string' || typeof item === 'number') return [{ name: String(item), value: item }];
    if (!isRecord(item)) return [];
    const value = item['value'] ?? item['name'];
    if (typeof value !== 'string' && typeof value !== 'number') return [];
    const rest = item['multiple'] === true ? { multiple: true } : {};
    return [{ name: typeof item['name'] === 'string' ? item['name'] : String(value), value, ...rest }];
  });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
