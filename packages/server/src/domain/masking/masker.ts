import { isRecord } from '#domain/exact-json';
import { createMatcher, shortestWord } from '#domain/masking/matcher';
import { writtenForms } from '#domain/masking/written-forms';
import { coveredBy, stepInto, type ValuePath } from '#domain/masking/value-path';

/** What stands in the place of a secret wherever people look. */
export const redacted = '[REDACTED]';

/** A part of a value that was masked: the way to it, and what really stands there. */
export type TruePart = readonly [path: readonly (string | number)[], value: unknown];

export interface Masked {
  /** The value as people may see it. */
  readonly shown: unknown;
  /** What was taken out; empty: nothing was. */
  readonly trueParts: readonly TruePart[];
  /** Secrets that stood inside longer texts, as they stood there. */
  readonly words: readonly string[];
}

/** Knows every secret that one run used, and finds it again in whatever the run is about to show. */
export interface Masker {
  /** Adds a secret: a text or number, or all of those in a value. Under four characters it is known by path only. */
  learn(secret: unknown): void;
  readonly isEmpty: boolean;
  /** Whether a text, JSON or other, holds a secret in any of its written forms. Cheap: most texts hold none. */
  isTainted(text: string): boolean;
  text(text: string): string;
  /** Masks by value, and whatever stands under one of the paths. */
  value(value: unknown, paths?: readonly ValuePath[]): Masked;
}

/** More secrets than any run needs; what comes beyond is masked by its path only. */
const mostSecrets = 200_000;

export function createMasker(): Masker {
  const matcher = createMatcher();
  const known = new Set<string>();

  function learn(secret: unknown): void {
    if (Array.isArray(secret)) for (const item of secret) learn(item);
    else if (isRecord(secret)) for (const item of Object.values(secret)) learn(item);
    else if (typeof secret === 'string' || typeof secret === 'number' || typeof secret === 'bigint') {
      const text = String(secret);
      if (text.length < shortestWord || known.has(text) || known.size >= mostSecrets) return;
      known.add(text);
      for (const form of writtenForms(text)) matcher.add(form);
    }
  }

  function maskText(text: string, found?: Set<string>): string {
    const spans = matcher.find(text);
    if (spans.length === 0) return text;
    let shown = '';
    let at = 0;
    for (const { from, to } of spans) {
      if (to - from < text.length) found?.add(text.slice(from, to));
      shown += text.slice(at, from) + redacted;
      at = to;
    }
    return shown + text.slice(at);
  }

  function maskValue(value: unknown, paths: readonly ValuePath[]): Masked {
    const trueParts: TruePart[] = [];
    const words = new Set<string>();
    const way: (string | number)[] = [];

    function replace(value: unknown, shown: unknown): unknown {
      trueParts.push([[...way], value]);
      return shown;
    }

    function within(step: string | number, item: unknown, below: readonly ValuePath[]): unknown {
      way.push(step);
      const shown = visit(item, below);
      way.pop();
      return shown;
    }

    function visit(value: unknown, paths: readonly ValuePath[]): unknown {
      if (coveredBy(paths) && value !== null && value !== undefined) return replace(value, redacted);
      if (typeof value === 'string') {
        const shown = maskText(value, words);
        return shown === value ? value : replace(value, shown);
      }
      if (typeof value === 'number') return matcher.has(String(value)) ? replace(value, redacted) : value;
      if (Array.isArray(value)) {
        return value.map((item, index) => within(index, item, stepInto(paths, index)));
      }
      if (!isRecord(value)) return value;
      // A key cannot be put back in its place one by one, so the whole object is.
      if (Object.keys(value).some((key) => matcher.has(key))) {
        return replace(value, withMaskedKeys(value, paths));
      }
      return mapEntries(value, (key, item) => within(key, item, stepInto(paths, key)));
    }

    function withMaskedKeys(value: Record<string, unknown>, paths: readonly ValuePath[]): unknown {
      const partsBefore = trueParts.length;
      const shown = Object.fromEntries(
        Object.entries(value).map(([key, item]) => [
          maskText(key, words),
          within(key, item, stepInto(paths, key)),
        ]),
      );
      // They are told apart by their words only, since the object as a whole is what was taken out.
      for (const [, part] of trueParts.splice(partsBefore)) for (const text of textsIn(part)) words.add(text);
      for (const key of Object.keys(value)) if (maskText(key) === redacted) words.add(key);
      return shown;
    }

    const shown = visit(value, paths);
    return { shown, trueParts, words: [...words] };
  }

  return {
    learn,
    get isEmpty() {
      return known.size === 0;
    },
    isTainted: (text) => matcher.has(text),
    text: (text) => maskText(text),
    value: (value, paths = []) => maskValue(value, paths),
  };
}

/** What of a masked value is secret: what another masker has to learn to mask the same. */
export function secretsIn({ shown, trueParts, words }: Masked): unknown[] {
  const whole = trueParts.filter(
    ([path]) => path.reduce((at, step) => (at as Record<string | number, unknown>)[step], shown) === redacted,
  );
  return [...words, ...whole.map(([, value]) => value)];
}

function textsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsIn);
  if (isRecord(value)) return Object.values(value).flatMap(textsIn);
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
}

/** Puts what was taken out back in its place. */
export function unmasked(shown: unknown, trueParts: readonly TruePart[]): unknown {
  let root = shown;
  for (const [path, value] of trueParts) {
    const last = path.at(-1);
    if (last === undefined) {
      root = value;
      continue;
    }
    const parent = path
      .slice(0, -1)
      .reduce((at, step) => (at as Record<string | number, unknown>)[step], root);
    (parent as Record<string | number, unknown>)[last] = value;
  }
  return root;
}

function mapEntries(
  value: Record<string, unknown>,
  change: (key: string, item: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(key, item)]));
}
