import { isRecord } from '#domain/exact-json';

/** The way to fields of a value, such as `lines.*.iban`: `*` stands for every item of a list and every field. */
export type ValuePath = readonly string[];

const mostSteps = 50;

/** Reads `lines.*.iban`, `lines[0].iban` or `rows[*].id`; undefined for what is no path. */
export function readValuePath(text: string): ValuePath | undefined {
  const steps = text
    .trim()
    .replaceAll(/\[(\d+|\*)\]/g, '.$1')
    .split('.');
  return steps.length > mostSteps || steps.includes('') ? undefined : steps;
}

/** The paths that go on below one field or item. */
export function stepInto(paths: readonly ValuePath[], step: string | number): readonly ValuePath[] {
  if (paths.length === 0) return paths;
  const name = String(step);
  return paths.filter(([first]) => first === name || first === '*').map(([, ...rest]) => rest);
}

/** Whether one of the paths ends here, and so covers everything below. */
export function coveredBy(paths: readonly ValuePath[]): boolean {
  return paths.some((path) => path.length === 0);
}

/** Only what the paths lead to; lists keep their length, so that items stay at their index. */
export function pick(value: unknown, paths: readonly ValuePath[]): unknown {
  if (coveredBy(paths)) return value;
  if (Array.isArray(value)) return value.map((item, index) => pick(item, stepInto(paths, index)));
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value).flatMap(([key, item]) => {
    const below = stepInto(paths, key);
    if (below.length === 0) return [];
    const kept = pick(item, below);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return Object.fromEntries(entries);
}

/** Everything that the paths lead to. */
export function valuesAt(value: unknown, paths: readonly ValuePath[]): unknown[] {
  if (paths.length === 0) return [];
  if (coveredBy(paths)) return [value];
  if (Array.isArray(value)) return value.flatMap((item, index) => valuesAt(item, stepInto(paths, index)));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => valuesAt(item, stepInto(paths, key)));
}
