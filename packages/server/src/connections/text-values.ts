import type { Values } from '@inlay/connectors/kit';

/** Parsed fields as plain texts, absent ones left out: what connection meta and app variables are made of. */
export function textValues(fields: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      if (value === undefined || value === null) return [];
      return [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
    }),
  );
}
