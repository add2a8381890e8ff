/** Where a text stops being JSON: offset from 0, line and column from 1 as editors count, and what was expected. */
export interface JsonFault {
  readonly position: number;
  readonly line: number;
  readonly column: number;
  readonly expected: string;
}

class Fault extends Error {
  readonly at: number;
  constructor(at: number, expected: string) {
    super(expected);
    this.at = at;
  }
}

const deepest = 500;

/**
 * Finds the first place where a text breaks the JSON grammar (RFC 8259); undefined when it does not.
 * `JSON.parse` of V8 names the place in some of its messages only.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    const end = skipSpace(text, readValue(text, skipSpace(text, 0), 0));
    if (end < text.length) throw new Fault(end, 'the end of the text');
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const lines = text.slice(0, error.at).split('\n');
    return {
      position: error.at,
      line: lines.length,
      column: (lines.at(-1)?.length ?? 0) + 1,
      expected: error.message,
    };
  }
}

function readValue(text: string, at: number, depth: number): number {
  if (depth > deepest) throw new Fault(at, `at most ${deepest} levels`);
  const first = text[at];
  if (first === '{') return readMembers(text, at, depth, '}');
  if (first === '[') return readMembers(text, at, depth, ']');
  if (first === '"') return readString(text, at);
  const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
  scalar.lastIndex = at;
  if (!scalar.test(text)) throw new Fault(at, 'a value');
  return scalar.lastIndex;
}

/** The inside of an object or a list, up to and with its closing bracket. */
function readMembers(text: string, open: number, depth: number, close: '}' | ']'): number {
  let at = skipSpace(text, open + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    if (close === '}') at = readKey(text, at);
    at = skipSpace(text, readValue(text, at, depth + 1));
    if (text[at] === close) return at + 1;
    if (text[at] !== ',') throw new Fault(at, `"," or "${close}"`);
    at = skipSpace(text, at + 1);
  }
}

function readKey(text: string, at: number): number {
  if (text[at] !== '"') throw new Fault(at, 'a key in double quotes');
  const colon = skipSpace(text, readString(text, at));
  if (text[colon] !== ':') throw new Fault(colon, '":"');
  return skipSpace(text, colon + 1);
}

function readString(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 34) return at + 1;
    if (code < 32) throw new Fault(at, 'no line break or control character inside a text');
    if (code !== 92) continue;
    const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
    escape.lastIndex = at;
    if (!escape.test(text)) throw new Fault(at, 'an escape that JSON knows');
    at = escape.lastIndex - 1;
  }
  throw new Fault(text.length, 'the closing double quote of a text');
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  return at;
}
