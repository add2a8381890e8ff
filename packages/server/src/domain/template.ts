import { AppError } from '#domain/errors';
import type { FieldProblem } from '#domain/errors';
import { isForbiddenName, isRecord, parseExactJson } from '#domain/exact-json';
import { cutTemplates } from '#domain/template/expression';
import type { Expression, Path, Piece } from '#domain/template/expression';
import { evaluate } from '#domain/template/lookup';
import { compileMarkup, expressionsIn, renderMarkup } from '#domain/template/markup';
import type { Markup } from '#domain/template/markup';
import type { TemplateScope } from '#domain/template/lookup';

export type { Path } from '#domain/template/expression';
export type { TemplateScope } from '#domain/template/lookup';

/** A value whose templates are found already; made once, rendered often. */
export type CompiledTemplate =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'value'; readonly expression: Expression; readonly whenMissing?: null }
  | { readonly kind: 'text'; readonly pieces: readonly (string | Expression)[] }
  | { readonly kind: 'markup'; readonly markup: Markup }
  | { readonly kind: 'array'; readonly items: readonly CompiledTemplate[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, CompiledTemplate])[] };

export interface RenderOptions {
  /**
   * What a template that finds nothing leaves behind when it is alone in its field: empty text, or no field
   * at all (app-action fields, spec/workflows §10.4). A whole value that is omitted renders to `undefined`.
   */
  readonly missing?: 'empty' | 'omit';
}

const deepestValue = 128;

/**
 * Finds the templates in a setting: a text, or any JSON value with texts in it. Text that has the shape of
 * JSON and holds templates is read as JSON first, so that no value can break it open.
 *
 * @throws AppError `template_invalid` for braces that hold more than a path, and for names that reach prototypes.
 */
export function compileTemplate(value: unknown): CompiledTemplate {
  return compileValue(value, 0);
}

/**
 * The same for a node's settings, of which those named in `markup` are HTML with blocks in it. A body that is one
 * template and nothing else is taken as the HTML that it gives.
 *
 * @throws AppError `template_invalid`, `forbidden_key`
 */
export function compileSettings(
  settings: Readonly<Record<string, unknown>>,
  markup: readonly string[] = [],
): CompiledTemplate {
  const isMarkup = (key: string, value: unknown): value is string => {
    if (!markup.includes(key) || typeof value !== 'string' || !value.includes('{{')) return false;
    const pieces = cutTemplates(value);
    return pieces.length > 1 || pieces[0]?.kind !== 'template';
  };
  const entries = Object.entries(settings).map(([key, value]) => {
    if (isForbiddenName(key)) throw new AppError('forbidden_key', { key });
    const compiled: CompiledTemplate = isMarkup(key, value)
      ? { kind: 'markup', markup: compileMarkup(value) }
      : compileValue(value, 1);
    return [key, compiled] as const;
  });
  return { kind: 'object', entries };
}

/** Fills a compiled setting with the values of one execution. Filled-in text is never read for templates again. */
export function render(
  compiled: CompiledTemplate,
  scope: TemplateScope,
  options: RenderOptions = {},
): unknown {
  switch (compiled.kind) {
    case 'literal':
      return compiled.value;
    case 'value':
      return renderValue(compiled, scope, options);
    case 'text':
      return compiled.pieces
        .map((piece) => (typeof piece === 'string' ? piece : asText(find(piece, scope))))
        .join('');
    case 'markup':
      return renderMarkup(compiled.markup, scope, { find, asText });
    case 'array':
      return compiled.items.map((item) => render(item, scope, options) ?? null);
    default:
      return renderObject(compiled.entries, scope, options);
  }
}

/** The paths that a setting reads, for checks before anything runs. */
export function pathsIn(compiled: CompiledTemplate): Path[] {
  switch (compiled.kind) {
    case 'literal':
      return [];
    case 'value':
      return pathsOf(compiled.expression);
    case 'text':
      return compiled.pieces.flatMap((piece) => (typeof piece === 'string' ? [] : pathsOf(piece)));
    case 'markup':
      return expressionsIn(compiled.markup).flatMap(pathsOf);
    case 'array':
      return compiled.items.flatMap(pathsIn);
    default:
      return compiled.entries.flatMap(([, entry]) => pathsIn(entry));
  }
}

/** Everything wrong with the templates of a setting, each with the path of the field that holds it. */
export function templateProblems(value: unknown, at: string): FieldProblem[] {
  if (typeof value === 'string') return textProblems(value, at);
  if (Array.isArray(value)) return value.flatMap((item, index) => templateProblems(item, `${at}[${index}]`));
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([key, item]) => templateProblems(item, `${at}.${key}`));
  }
  return [];
}

/** A value as it reads inside a longer text: objects as JSON, nothing for null and missing. */
export function asText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  return JSON.stringify(value) ?? '';
}

function textProblems(text: string, at: string): FieldProblem[] {
  if (!text.includes('{{')) return [];
  return cutTemplates(text).flatMap((piece) =>
    piece.kind === 'refused' ? [{ path: at, message: refusalText(piece) }] : [],
  );
}

function refusalText(piece: Extract<Piece, { kind: 'refused' }>): string {
  return `"${piece.source}" is not a template: it holds ${piece.reason.startsWith('only') ? 'code or a misspelt path, and braces take ' : ''}${piece.reason}`;
}

function compileValue(value: unknown, depth: number): CompiledTemplate {
  if (depth > deepestValue) {
    throw new AppError('template_invalid', {
      reason: `A setting is nested more than ${deepestValue} levels deep.`,
    });
  }
  if (typeof value === 'string') return compileText(value, depth);
  if (Array.isArray(value)) return compileArray(value, depth);
  if (isRecord(value)) return compileObject(value, depth);
  return { kind: 'literal', value };
}

function compileArray(value: readonly unknown[], depth: number): CompiledTemplate {
  const items = value.map((item) => compileValue(item, depth + 1));
  return items.every((item) => item.kind === 'literal')
    ? { kind: 'literal', value }
    : { kind: 'array', items };
}

function compileObject(value: Record<string, unknown>, depth: number): CompiledTemplate {
  const entries = Object.entries(value).map(([key, item]) => {
    if (isForbiddenName(key)) throw new AppError('forbidden_key', { key });
    return [key, compileValue(item, depth + 1)] as const;
  });
  return entries.every(([, item]) => item.kind === 'literal')
    ? { kind: 'literal', value }
    : { kind: 'object', entries };
}

function compileText(text: string, depth: number): CompiledTemplate {
  if (!text.includes('{{')) return { kind: 'literal', value: text };
  const pieces = cutTemplates(text);
  const refused = pieces.find((piece) => piece.kind === 'refused');
  if (refused !== undefined && refused.kind === 'refused') {
    throw new AppError('template_invalid', { reason: `${refusalText(refused)}.` });
  }
  if (pieces.length === 1 && pieces[0]?.kind === 'template') {
    return { kind: 'value', expression: pieces[0].expression };
  }
  return compileJsonText(text, pieces, depth) ?? compileMixedText(pieces);
}

function compileMixedText(pieces: readonly Piece[]): CompiledTemplate {
  if (pieces.every((piece) => piece.kind === 'text')) {
    return {
      kind: 'literal',
      value: pieces.map((piece) => (piece.kind === 'text' ? piece.text : '')).join(''),
    };
  }
  return {
    kind: 'text',
    pieces: pieces.flatMap((piece): (string | Expression)[] => {
      if (piece.kind === 'template') return [piece.expression];
      return piece.kind === 'text' ? [piece.text] : [];
    }),
  };
}

// Private-use characters stand in for templates while the text around them is read as JSON.
const markOpen = '\uE000';
const markClose = '\uE001';

/** Reads text that is JSON, or becomes JSON once its bare `{{...}}` hold values; anything else is undefined. */
function compileJsonText(
  text: string,
  pieces: readonly Piece[],
  depth: number,
): CompiledTemplate | undefined {
  if (!/^\s*[{[]/.test(text) || /^\s*\{\{/.test(text)) return undefined;
  const asWritten = tryParse(text);
  if (asWritten !== undefined) return compileValue(asWritten.value, depth + 1);
  if (text.includes(markOpen) || text.includes(markClose)) return undefined;
  const expressions: Expression[] = [];
  const marked = tryParse(markTemplates(pieces, expressions));
  return marked === undefined ? undefined : compileMarked(marked.value, expressions, depth + 1);
}

function tryParse(text: string): { value: unknown } | undefined {
  try {
    return { value: parseExactJson(text) };
  } catch {
    return undefined; // not JSON is an answer here, not a fault
  }
}

/** Replaces each template by a mark: a bare one becomes a JSON string of its own. */
function markTemplates(pieces: readonly Piece[], expressions: Expression[]): string {
  let isInString = false;
  return pieces
    .map((piece) => {
      if (piece.kind === 'text') {
        isInString = endsInString(piece.text, isInString);
        return piece.text;
      }
      if (piece.kind === 'refused') return piece.source;
      const mark = `${markOpen}${expressions.push(piece.expression) - 1}${markClose}`;
      return isInString ? mark : `"${mark}"`;
    })
    .join('');
}

function endsInString(text: string, startsInString: boolean): boolean {
  let isInString = startsInString;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\' && isInString) at += 1;
    else if (character === '"') isInString = !isInString;
  }
  return isInString;
}

function compileMarked(value: unknown, expressions: readonly Expression[], depth: number): CompiledTemplate {
  if (depth > deepestValue) return compileValue(value, depth);
  if (typeof value === 'string') return compileMarkedText(value, expressions);
  if (Array.isArray(value)) {
    return { kind: 'array', items: value.map((item) => compileMarked(item, expressions, depth + 1)) };
  }
  if (!isRecord(value)) return { kind: 'literal', value };
  const entries = Object.entries(value).map(([key, item]) => {
    if (isForbiddenName(key)) throw new AppError('forbidden_key', { key });
    return [key, compileMarked(item, expressions, depth + 1)] as const;
  });
  return { kind: 'object', entries };
}

function compileMarkedText(text: string, expressions: readonly Expression[]): CompiledTemplate {
  if (!text.includes(markOpen)) return { kind: 'literal', value: text };
  const pieces = text.split(/\uE000(\d+)\uE001/).flatMap((part, index): (string | Expression)[] => {
    if (index % 2 === 0) return part === '' ? [] : [part];
    const expression = expressions[Number(part)];
    return expression === undefined ? [] : [expression];
  });
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined && typeof only !== 'string') {
    return { kind: 'value', expression: only, whenMissing: null };
  }
  return { kind: 'text', pieces };
}

function renderValue(
  compiled: Extract<CompiledTemplate, { kind: 'value' }>,
  scope: TemplateScope,
  options: RenderOptions,
): unknown {
  const value = find(compiled.expression, scope);
  if (value !== undefined) return value;
  if (options.missing === 'omit') return undefined;
  return compiled.whenMissing === null ? null : '';
}

function renderObject(
  entries: readonly (readonly [string, CompiledTemplate])[],
  scope: TemplateScope,
  options: RenderOptions,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, entry] of entries) {
    const value = render(entry, scope, options);
    if (value !== undefined) result[key] = value;
  }
  return result;
}

/** The value of an expression; a workflow-scope variable may be a template itself, one level deep. */
function find(expression: Expression, scope: TemplateScope): unknown {
  return evaluate(expression, scope, (text) => {
    const pieces = cutTemplates(text);
    const values = pieces.map((piece) => {
      if (piece.kind === 'text') return piece.text;
      return piece.kind === 'refused' ? piece.source : evaluate(piece.expression, scope, (inner) => inner);
    });
    return pieces.length === 1 ? values[0] : values.map(asText).join('');
  });
}

function pathsOf(expression: Expression): Path[] {
  return expression.operands.filter((operand) => operand.kind === 'path');
}
