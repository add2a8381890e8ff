/** What callers send: an event of a few fields, an order with its lines, a document. */
export const payloads = {
  '0.2-KB': { n: 7, note: 'x'.repeat(160) },
  '4-KB': { n: 7, lines: linesOf(40) },
  '64-KB': { n: 7, lines: linesOf(640) },
} as const;

export type PayloadSize = keyof typeof payloads;

export const payloadSizes = Object.keys(payloads) as readonly PayloadSize[];

/** A line is 100 bytes of JSON. */
function linesOf(count: number): readonly unknown[] {
  return Array.from({ length: count }, (_, n) => ({
    line: 10_000 + n,
    sku: `SKU-${1_000_000 + n}`,
    name: 'An article of the catalogue, in words',
    price: 12.5,
    pieces: 10,
  }));
}
