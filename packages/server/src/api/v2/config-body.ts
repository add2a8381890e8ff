import { z } from 'zod';
import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import type { ConfigChange } from '#configs/index';

/**
 * The body of config calls in all the shapes that clients send: values as a map, as a list of `{id, value}`,
 * as an empty list, under `fields`, `application_data_slots` or `data_slots` (spec/api D2).
 */
export const configBody = z.looseObject({
  slug: z.string().optional(),
  config_id: z.union([z.string().max(512), z.number().transform(String)]).nullish(),
  fields: z.unknown().optional(),
  application_data_slots: z.unknown().optional(),
  data_slots: z.unknown().optional(),
  workflows: z.unknown().optional(),
  labels: z.unknown().optional(),
  map_fields_object: z.unknown().optional(),
});

/** What a body changes. */
export function readConfigChange(body: z.output<typeof configBody>): ConfigChange {
  const labels = body.labels ?? body.map_fields_object;
  return {
    fields: readValues(body.fields ?? body.application_data_slots ?? body.data_slots, 'fields'),
    workflows: readWorkflows(body.workflows),
    // `[]` is what the browser SDK sends for "none given".
    labels: isRecord(labels) || (Array.isArray(labels) && labels.length > 0) ? labels : undefined,
  };
}

function readWorkflows(given: unknown): ConfigChange['workflows'] {
  if (given === undefined || given === null) return [];
  const list = isRecord(given)
    ? Object.entries(given).map(([id, item]) => (isRecord(item) ? { id, ...item } : item))
    : given;
  if (!Array.isArray(list)) throw wrong('workflows', 'is not a list of {id, enabled, fields}');
  return list.map((item: unknown, index) => {
    const path = `workflows[${index}]`;
    if (!isRecord(item) || typeof item['id'] !== 'string') throw wrong(path, 'has no "id"');
    const { enabled } = item;
    if (enabled !== undefined && enabled !== null && typeof enabled !== 'boolean') {
      throw wrong(`${path}.enabled`, 'is neither true nor false');
    }
    return {
      id: item['id'],
      isEnabled: enabled ?? undefined,
      fields: readValues(item['fields'] ?? item['data_slots'], `${path}.fields`),
    };
  });
}

function readValues(given: unknown, path: string): Readonly<Record<string, unknown>> {
  if (given === undefined || given === null) return {};
  if (isRecord(given)) return given;
  if (!Array.isArray(given)) throw wrong(path, 'is neither {id: value} nor a list of {id, value}');
  const pairs = given.map((item: unknown, index) => {
    if (!isRecord(item) || typeof item['id'] !== 'string') throw wrong(`${path}[${index}]`, 'has no "id"');
    return [item['id'], item['value']] as const;
  });
  // A list of whole field objects has no `value` where none is set: that is not a wish to clear it.
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

function wrong(path: string, message: string): AppError {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}
