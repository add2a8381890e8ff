/** A stretch of a text, from inclusive, to exclusive. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Finds many words in a text at once. Time grows with the text, not with the number of words. */
export interface Matcher {
  add(word: string): void;
  has(text: string): boolean;
  /** Where words stand, overlapping ones joined into one stretch, in order. */
  find(text: string): Span[];
}

/** Shorter words cannot be added: they stand in every text. */
export const shortestWord = 4;

/** Sizes of the bit table, in bits of its index. */
const smallestTable = 10;
const largestTable = 16;
/** Slots for each word: how rarely a text without words costs more than the look into the table. */
const slotsPerWord = 16;

/**
 * Words are kept by their first four characters, and in each such bucket by length: a position of the text costs
 * one look into a bit table, and only where the four characters fit a few more. Thousands of words that begin
 * alike (account numbers of one bank) stay cheap.
 *
 * Without words there is no table, and with few a small one: most runs have no secrets, and a large table for each
 * of them is memory outside the heap, which makes the whole heap be collected every few hundred runs.
 */
export function createMatcher(): Matcher {
  let filter: Uint8Array | undefined;
  let mask = 0;
  /** By the first characters: words by length, the longest first. */
  const buckets = new Map<string, { readonly length: number; readonly words: Set<string> }[]>();

  function add(word: string): void {
    if (word.length < shortestWord) return;
    const head = word.slice(0, shortestWord);
    const bucket = buckets.get(head) ?? [];
    buckets.set(head, bucket);
    if (bucket.length === 0) enter(head);
    const same = bucket.find(({ length }) => length === word.length);
    if (same === undefined) {
      bucket.push({ length: word.length, words: new Set([word]) });
      bucket.sort((a, b) => b.length - a.length);
    } else {
      same.words.add(word);
    }
  }

  /** Marks new first characters in the table, in a larger one when it has become too full. */
  function enter(head: string): void {
    if (
      filter === undefined ||
      (buckets.size * slotsPerWord > filter.length && mask < 2 ** largestTable - 1)
    ) {
      filter = new Uint8Array(filter === undefined ? 1 << smallestTable : filter.length * 4);
      mask = filter.length - 1;
      for (const known of buckets.keys()) filter[hashAt(known, 0) & mask] = 1;
    }
    filter[hashAt(head, 0) & mask] = 1;
  }

  /** Length of the longest word that begins here, 0 without one. */
  function lengthAt(text: string, at: number): number {
    for (const { length, words } of buckets.get(text.slice(at, at + shortestWord)) ?? []) {
      if (at + length <= text.length && words.has(text.slice(at, at + length))) return length;
    }
    return 0;
  }

  return {
    add,
    has(text) {
      if (filter === undefined) return false;
      const last = text.length - shortestWord;
      for (let at = 0; at <= last; at += 1) {
        if (filter[hashAt(text, at) & mask] !== 0 && lengthAt(text, at) > 0) return true;
      }
      return false;
    },
    find(text) {
      const spans: { from: number; to: number }[] = [];
      if (filter === undefined) return spans;
      for (let at = 0; at <= text.length - shortestWord; at += 1) {
        const length = filter[hashAt(text, at) & mask] === 0 ? 0 : lengthAt(text, at);
        if (length === 0) continue;
        const last = spans.at(-1);
        // Words that overlap or touch: what sticks out of the first must not stay readable.
        if (last !== undefined && at <= last.to) last.to = Math.max(last.to, at + length);
        else spans.push({ from: at, to: at + length });
      }
      return spans;
    },
  };
}

/** Whole numbers of 32 bits all the way: a product that became a double would cost four times as much. */
function hashAt(text: string, at: number): number {
  const front = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
  const back = text.charCodeAt(at + 2) | (text.charCodeAt(at + 3) << 16);
  const hash = Math.imul(front, 0x9e3779b1) ^ Math.imul(back, 0x85ebca6b);
  return hash ^ (hash >>> largestTable);
}
