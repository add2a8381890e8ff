import { isRecord } from '#domain/exact-json';
import { asText } from '#domain/template';

/** Which linked accounts see a workflow of the organisation: conditions on their user-defined fields. */
export interface AccessFilter {
  readonly match: 'all' | 'any';
  readonly conditions: readonly { readonly key: string; readonly value: string }[];
}

/** Reads a filter from the wire (`udf_filter`, `udf_filter_operator`) or from the database; none is `null`. */
export function readAccessFilter(raw: unknown, operator?: unknown): AccessFilter | null {
  const list = isRecord(raw) ? raw['conditions'] : raw;
  if (!Array.isArray(list)) return null;
  const conditions = list.filter(isRecord).flatMap((item) => {
    const key = item['key'] ?? item['key_name'] ?? item['name'];
    return typeof key === 'string' ? [{ key, value: asText(item['value'] ?? item['key_value']) }] : [];
  });
  const how = asText(operator ?? (isRecord(raw) ? raw['match'] : 'all')).toLowerCase();
  return conditions.length === 0 ? null : { match: ['any', 'or'].includes(how) ? 'any' : 'all', conditions };
}

/** Whether an account with these user-defined fields passes. */
export function passesAccessFilter(
  filter: AccessFilter | null,
  udf: readonly { readonly key_name: string; readonly key_value: unknown }[],
): boolean {
  if (filter === null) return true;
  const holds = filter.conditions.map(({ key, value }) =>
    udf.some((field) => field.key_name === key && asText(field.key_value) === value),
  );
  return filter.match === 'all' ? holds.every(Boolean) : holds.some(Boolean);
}
