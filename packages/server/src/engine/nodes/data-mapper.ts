import { z } from 'zod';
import { isForbiddenName, isRecord } from '#domain/exact-json';
import { done, failed, nodeType } from '#engine/nodes/node-type';

const settings = z.looseObject({
  input: z.unknown().optional(),
  mapping: z.record(z.string(), z.unknown()),
  direction: z.enum(['source_to_dest', 'dest_to_source']).default('source_to_dest'),
});

/** Renames the fields of an object by a mapping, mostly one that the customer made (spec/workflows §12.12). */
export const dataMapper = nodeType({
  type: 'data_mapper',
  label: 'Data mapper',
  group: 'data',
  help: 'Renames fields by a mapping; fields that it does not name are left out.',
  reference: {
    output: 'The object with its fields renamed; of a list, the list of them.',
    errors: 'An input that is neither an object nor a list of objects.',
  },
  effect: 'none',
  fields: {
    input: { type: 'json', label: 'Input', required: true, help: 'A flat object, or a list of them.' },
    mapping: { type: 'map', label: 'Mapping', required: true, help: 'Source field to destination field.' },
    direction: {
      type: 'select',
      label: 'Direction',
      default: 'source_to_dest',
      options: [
        { name: 'Source to destination', value: 'source_to_dest' },
        { name: 'Destination to source', value: 'dest_to_source' },
      ],
    },
  },
  settings,
  run({ input, mapping, direction }) {
    const names = fieldNames(mapping, direction === 'dest_to_source');
    if (Array.isArray(input)) {
      const wrong = input.findIndex((item) => !isRecord(item));
      if (wrong !== -1) return wrongInput(`input[${wrong}]`, input[wrong]);
      return done(input.map((item) => mapped(item as Record<string, unknown>, names)));
    }
    return isRecord(input) ? done(mapped(input, names)) : wrongInput('input', input);
  },
});

/** From a field of the input to those of the output: a mapping may fill several, and lists stand for several. */
function fieldNames(mapping: Readonly<Record<string, unknown>>, isReversed: boolean): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [source, value] of Object.entries(mapping)) {
    for (const dest of Array.isArray(value) ? value : [value]) {
      if (typeof dest !== 'string' || dest === '' || isForbiddenName(dest)) continue;
      const [from, to] = isReversed ? [dest, source] : [source, dest];
      names.set(from, [...(names.get(from) ?? []), to]);
    }
  }
  return names;
}

function mapped(
  input: Readonly<Record<string, unknown>>,
  names: ReadonlyMap<string, readonly string[]>,
): Record<string, unknown> {
  return Object.fromEntries(
    [...names].flatMap(([from, to]) =>
      Object.hasOwn(input, from) ? to.map((name) => [name, input[from]]) : [],
    ),
  );
}

function wrongInput(path: string, value: unknown) {
  const seen = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  return failed({ message: `${path}: must be an object, and it is ${seen}`, retry: 'never' });
}
