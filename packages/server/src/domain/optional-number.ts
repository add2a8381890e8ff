import { z } from 'zod';

/** A number that may come as text, as forms and templates give it; empty counts as left out. */
export function optionalNumber(from: number, to: number) {
  const rule = `must be a number from ${from} to ${to}`;
  return z.preprocess(
    (given) => (given === '' || given === null ? undefined : given),
    z.coerce.number(rule).min(from, rule).max(to, rule).optional(),
  );
}
