/**
 * One measured number beside what it is to be judged against: the direct call or the machine's own limit,
 * measured in the same run. One line of `npm run -s bench -- NAME --json`.
 */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the machine or the direct call does, in the same unit unless it names another. */
  readonly reference: { readonly name: string; readonly value: number; readonly unit: string } | null;
  /** `value / reference.value`, when both have one unit. */
  readonly ratio: number | null;
  readonly conditions: string;
}

/** Rounds to three significant digits: more would claim a precision that a run of seconds does not have. */
export function figure(
  name: string,
  value: number,
  unit: string,
  conditions: string,
  reference?: { readonly name: string; readonly value: number; readonly unit?: string },
): Figure {
  const sameUnit = reference !== undefined && (reference.unit ?? unit) === unit;
  return {
    name,
    value: threeDigits(value),
    unit,
    reference:
      reference === undefined
        ? null
        : { name: reference.name, value: threeDigits(reference.value), unit: reference.unit ?? unit },
    ratio: sameUnit && reference.value !== 0 ? threeDigits(value / reference.value) : null,
    conditions,
  };
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}

/** A figure for a person. */
export function figureLine({ name, value, unit, reference, ratio, conditions }: Figure): string {
  const beside =
    reference === null
      ? ''
      : ` (${reference.name}: ${reference.value} ${reference.unit}${ratio === null ? '' : `, ratio ${ratio}`})`;
  return `${name}: ${value} ${unit}${beside}; ${conditions}`;
}
