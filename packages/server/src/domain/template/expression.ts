import { isForbiddenName } from '#domain/exact-json';

/**
 * The language inside double braces (spec/workflows §10): a path, then fallbacks. It is read by hand, left to
 * right, each character once: no regular expression can blow up and nothing is ever evaluated.
 *
 *     expression = operand { "||" operand }
 *     operand    = path | literal
 *     path       = name { "." name | ":" name | "[" int "]" }
 */

/** Where a value comes from: a root (`event`, `node` 7, a node's slug, ...) and the way down from it. */
export interface Path {
  readonly kind: 'path';
  readonly root: string;
  /** Number of the node when the root is `node`. */
  readonly node?: string;
  readonly segments: readonly string[];
}

interface Literal {
  readonly kind: 'literal';
  readonly value: string | number | boolean | null;
}

export type Operand = Path | Literal;

/** One `{{...}}`: the first operand that is neither missing, null nor empty text wins. */
export interface Expression {
  readonly operands: readonly Operand[];
}

/** A piece of a text: literal characters, a template, or a matched pair of braces that is not a path. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'template';
      readonly expression: Expression;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'refused'; readonly source: string; readonly reason: string };

/** Tokens of other languages that pass through us: PDF page numbers, and blocks of Handlebars or Mustache. */
const reservedTokens: ReadonlySet<string> = new Set(['page', 'total_pages', 'else']);
const blockMarks = '#/^>!&';

/** Roots with a meaning of their own; any other first name is a node's slug or a variable. */
export const ownRoots: ReadonlySet<string> = new Set([
  'node',
  'event',
  'start',
  'array_item',
  'group',
  'loop',
  'instance_meta_data',
  'linked_account',
  'env',
  'dataslot',
  'config',
]);

const longestExpression = 2_000;

/** Cuts a text at its templates. Time is linear in its length. */
export function cutTemplates(text: string): Piece[] {
  const pieces: Piece[] = [];
  let literalFrom = 0;
  let at = text.indexOf('{{');
  while (at !== -1) {
    const found = readTemplate(text, at);
    if (found.piece === undefined) {
      at = text.indexOf('{{', found.next);
      continue;
    }
    if (at > literalFrom) pieces.push({ kind: 'text', text: text.slice(literalFrom, at) });
    pieces.push(found.piece);
    literalFrom = found.next;
    at = text.indexOf('{{', found.next);
  }
  if (literalFrom < text.length) pieces.push({ kind: 'text', text: text.slice(literalFrom) });
  return pieces;
}

interface Cursor {
  readonly text: string;
  at: number;
}

class Refusal extends Error {}

function readTemplate(text: string, start: number): { piece?: Piece; next: number } {
  // `{{{x}}` is a brace and then a template.
  if (text[start + 2] === '{') return { next: start + 1 };
  const cursor: Cursor = { text, at: start + 2 };
  try {
    const expression = readExpression(cursor);
    if (text.startsWith('}}', cursor.at)) {
      const end = cursor.at + 2;
      if (isReserved(text.slice(start + 2, end - 2))) return { next: end };
      return { piece: { kind: 'template', expression, start, end }, next: end };
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refuse(text, start, cursor.at, error.message);
  }
  return refuse(text, start, cursor.at, 'only a path such as node.2.body.id, with an optional || fallback');
}

/** What could not be read is a refused template when its braces are closed, and plain text otherwise. */
function refuse(text: string, start: number, from: number, reason: string): { piece?: Piece; next: number } {
  const open = text.indexOf('{{', Math.max(from, start + 2));
  // Looking for the end only up to the next start keeps the whole scan linear.
  const until = open === -1 ? text.length : open;
  const length = text.slice(from, until).indexOf('}}');
  if (length === -1) return { next: until };
  const next = from + length + 2;
  const inner = text.slice(start + 2, next - 2).trim();
  if (inner === '' || isReserved(inner) || blockMarks.includes(inner.charAt(0))) return { next };
  return { piece: { kind: 'refused', source: text.slice(start, next).slice(0, 120), reason }, next };
}

function isReserved(inner: string): boolean {
  return inner.length < 40 && reservedTokens.has(inner.trim());
}

function readExpression(cursor: Cursor): Expression {
  const start = cursor.at;
  const operands: Operand[] = [readOperand(cursor)];
  while (cursor.text.startsWith('||', cursor.at)) {
    cursor.at += 2;
    operands.push(readOperand(cursor));
    if (cursor.at - start > longestExpression)
      throw new Refusal(`longer than ${longestExpression} characters`);
  }
  return { operands };
}

function readOperand(cursor: Cursor): Operand {
  skipSpace(cursor);
  const first = cursor.text[cursor.at];
  const operand = first === "'" || first === '"' ? readQuoted(cursor, first) : readPath(cursor);
  skipSpace(cursor);
  return operand;
}

function readQuoted(cursor: Cursor, quote: string): Literal {
  const ahead = cursor.text.slice(cursor.at + 1, cursor.at + 1 + longestExpression);
  const length = ahead.indexOf(quote);
  if (length === -1) throw new Refusal(`a text that ${quote} opens and does not close`);
  const value = ahead.slice(0, length);
  cursor.at += length + 2;
  return { kind: 'literal', value };
}

function readPath(cursor: Cursor): Operand {
  const root = readName(cursor);
  const segments: string[] = [];
  for (;;) {
    const mark = cursor.text[cursor.at];
    if (mark === '.' || mark === ':') {
      cursor.at += 1;
      segments.push(readName(cursor));
    } else if (mark === '[') {
      cursor.at += 1;
      segments.push(readIndex(cursor));
    } else {
      break;
    }
    if (segments.length > 100) throw new Refusal('a path of more than 100 steps');
  }
  return asLiteral(root, segments) ?? normalisePath(root, segments);
}

function readName(cursor: Cursor): string {
  skipSpace(cursor);
  const start = cursor.at;
  while (cursor.at < cursor.text.length && isNameCharacter(cursor.text, cursor.at)) cursor.at += 1;
  const name = cursor.text.slice(start, cursor.at).trimEnd();
  if (name === '') throw new Refusal('only a path such as node.2.body.id, with an optional || fallback');
  if (name.length > 200) throw new Refusal('a name of more than 200 characters');
  if (isForbiddenName(name)) throw new Refusal(`"${name}" is not accepted in a path`);
  return name;
}

function readIndex(cursor: Cursor): string {
  const ahead = cursor.text.slice(cursor.at, cursor.at + 20);
  const length = ahead.indexOf(']');
  const digits = ahead.slice(0, Math.max(length, 0)).trim();
  if (!/^\d{1,15}$/.test(digits)) throw new Refusal('an index in [ ] that is not a whole number');
  cursor.at += length + 1;
  skipSpace(cursor);
  return String(Number(digits));
}

function isNameCharacter(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code > 127) return true;
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 || // _
    code === 45 || // -
    code === 36 || // $
    code === 64 || // @
    code === 32 // inner spaces
  );
}

function skipSpace(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && /\s/.test(cursor.text.charAt(cursor.at))) cursor.at += 1;
}

/** `true`, `null` and numbers are literals; `1.5` reads as a path of two names, so it is put together again. */
function asLiteral(root: string, segments: readonly string[]): Literal | undefined {
  if (segments.length === 0) {
    if (root === 'true' || root === 'false') return { kind: 'literal', value: root === 'true' };
    if (root === 'null') return { kind: 'literal', value: null };
  }
  if (segments.length > 1 || !/^-?\d+$/.test(root)) return undefined;
  const text = segments.length === 0 ? root : `${root}.${segments[0]}`;
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  return { kind: 'literal', value: Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value };
}

/** Rewrites the legacy spellings of spec/workflows §10.9 to the one form that the rest knows. */
function normalisePath(root: string, segments: readonly string[]): Path {
  if (root === 'node' && segments[0] !== undefined) return nodePath(segments[0], segments.slice(1));
  if (/^\d+$/.test(root)) return nodePath(root, ['body', ...segments]);
  if (root === 'group' && segments[0] === 'array_item') return path('array_item', segments.slice(1));
  if (root === 'start' && segments[0] === 'body') return path('event', segments.slice(1));
  // Anything else that reads `.response` is a node by its slug, unless the root is one of our own.
  if (segments[0] === 'response' && !ownRoots.has(root)) return path(root, ['body', ...segments.slice(1)]);
  return path(root, segments);
}

function nodePath(node: string, segments: readonly string[]): Path {
  const rest = segments[0] === 'response' ? ['body', ...segments.slice(1)] : segments;
  return { kind: 'path', root: 'node', node, segments: rest };
}

function path(root: string, segments: readonly string[]): Path {
  return { kind: 'path', root, segments };
}
