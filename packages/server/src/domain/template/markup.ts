import { AppError } from '#domain/errors';
import { escapeHtml } from '#domain/escape-html';
import { isRecord } from '#domain/exact-json';
import { cutTemplates, type Expression } from '#domain/template/expression';
import type { TemplateScope } from '#domain/template/lookup';

/**
 * HTML with templates in it (spec/workflows §10.9): the bodies of e-mails and PDFs, and nothing else. On top of paths
 * it knows four tags of Handlebars, evaluated here and never by code:
 *
 *     {{#each path}} ... {{else}} ... {{/each}}    inside: {{this}}, {{@index}}, {{@key}}, and the item's own members
 *     {{#if path}} ... {{else}} ... {{/if}}
 *
 * `{{path}}` is escaped, so that a customer's name is text and never markup; `{{{path}}}` is taken as HTML.
 */
export type Markup = readonly MarkupPart[];

type MarkupPart =
  | { readonly kind: 'html'; readonly html: string }
  | { readonly kind: 'value'; readonly expression: Expression; readonly isRaw: boolean }
  | {
      readonly kind: 'each' | 'if';
      readonly expression: Expression;
      readonly body: Markup;
      readonly otherwise: Markup;
    };

const deepestBlock = 20;
const mostRounds = 100_000;
const longestResult = 10 * 1024 * 1024;

/** Reads markup. @throws AppError `template_invalid` for a block that is not closed, or holds more than a path */
export function compileMarkup(source: string): Markup {
  const reader = { source, at: 0 };
  const { parts, end } = readParts(reader, undefined, 0);
  if (end !== undefined) throw invalid(`"{{${end}}}" closes what nothing opened.`);
  return parts;
}

/** The expressions of markup, for checks before anything runs. */
export function expressionsIn(markup: Markup): Expression[] {
  return markup.flatMap((part) => {
    if (part.kind === 'html') return [];
    if (part.kind === 'value') return [part.expression];
    return [part.expression, ...expressionsIn(part.body), ...expressionsIn(part.otherwise)];
  });
}

/** How values are looked up and written; `domain/template` provides both. */
interface Reading {
  find(expression: Expression, scope: TemplateScope): unknown;
  asText(value: unknown): string;
}

/** Fills markup in. @throws AppError `template_invalid` when the result is too long or has too many rounds */
export function renderMarkup(markup: Markup, scope: TemplateScope, reading: Reading): string {
  const out: string[] = [];
  let length = 0;
  let rounds = 0;

  function write(html: string): void {
    length += html.length;
    if (length > longestResult) throw invalid(`The text becomes longer than ${longestResult} characters.`);
    out.push(html);
  }

  function renderParts(parts: Markup, at: TemplateScope): void {
    for (const part of parts) {
      if (part.kind === 'html') {
        write(part.html);
        continue;
      }
      const value = reading.find(part.expression, at);
      if (part.kind === 'value') {
        const text = reading.asText(value);
        write(part.isRaw ? text : escapeHtml(text));
      } else if (part.kind === 'if') {
        renderParts(isTruthy(value) ? part.body : part.otherwise, at);
      } else {
        renderEach(part, value, at);
      }
    }
  }

  function renderEach(
    part: Extract<MarkupPart, { kind: 'each' | 'if' }>,
    value: unknown,
    at: TemplateScope,
  ): void {
    const entries: [string | number, unknown][] = Array.isArray(value)
      ? value.map((item, index) => [index, item])
      : isRecord(value)
        ? Object.entries(value)
        : [];
    if (entries.length === 0) return renderParts(part.otherwise, at);
    for (const [index, [key, item]] of entries.entries()) {
      rounds += 1;
      if (rounds > mostRounds) throw invalid(`An "each" goes round more than ${mostRounds} times.`);
      const own = { ...(isRecord(item) && item), this: item, '@index': index, '@key': key };
      renderParts(part.body, { ...at, values: { ...at.values, ...own } });
    }
  }

  renderParts(markup, scope);
  return out.join('');
}

interface Reader {
  readonly source: string;
  at: number;
}

function readParts(
  reader: Reader,
  block: 'each' | 'if' | undefined,
  depth: number,
): { parts: MarkupPart[]; end: string | undefined } {
  if (depth > deepestBlock) throw invalid(`Blocks stand more than ${deepestBlock} deep in one another.`);
  const parts: MarkupPart[] = [];
  for (;;) {
    const open = reader.source.indexOf('{{', reader.at);
    const html = reader.source.slice(reader.at, open === -1 ? undefined : open);
    if (html !== '') parts.push({ kind: 'html', html });
    if (open === -1) {
      reader.at = reader.source.length;
      if (block !== undefined) throw invalid(`A "{{#${block}}}" is never closed by "{{/${block}}}".`);
      return { parts, end: undefined };
    }
    const isRaw = reader.source[open + 2] === '{';
    const closing = isRaw ? '}}}' : '}}';
    const from = open + closing.length;
    const to = reader.source.indexOf(closing, from);
    if (to === -1) {
      // Braces that nothing closes are text.
      parts.push({ kind: 'html', html: reader.source.slice(open, from) });
      reader.at = from;
      continue;
    }
    reader.at = to + closing.length;
    const tag = reader.source.slice(from, to).trim();
    if (!isRaw && (tag === 'else' || tag.startsWith('/'))) {
      if (tag.startsWith('/') && tag !== `/${block}`) {
        throw invalid(
          `"{{${tag.slice(0, 40)}}}" closes ${block === undefined ? 'what nothing opened' : `an open "{{#${block}}}"`}.`,
        );
      }
      if (tag === 'else' && block === undefined) throw invalid('"{{else}}" stands outside of a block.');
      return { parts, end: tag };
    }
    parts.push(!isRaw && tag.startsWith('#') ? readBlock(reader, tag, depth) : readValue(tag, isRaw));
  }
}

function readBlock(reader: Reader, tag: string, depth: number): MarkupPart {
  const [, kind, path] = /^#(each|if)\s+([^]+)$/.exec(tag) ?? [];
  if ((kind !== 'each' && kind !== 'if') || path === undefined) {
    throw invalid(`"{{${tag.slice(0, 40)}}}" is not known; blocks are {{#each path}} and {{#if path}}.`);
  }
  const body = readParts(reader, kind, depth + 1);
  const otherwise = body.end === 'else' ? readParts(reader, kind, depth + 1) : { parts: [], end: body.end };
  if (otherwise.end === 'else') throw invalid(`A "{{#${kind}}}" has two "{{else}}".`);
  return { kind, expression: readExpression(path), body: body.parts, otherwise: otherwise.parts };
}

/** Page numbers belong to the PDF's footer, which fills them in itself. */
const reserved: ReadonlySet<string> = new Set(['page', 'total_pages']);

function readValue(tag: string, isRaw: boolean): MarkupPart {
  if (reserved.has(tag)) return { kind: 'html', html: `{{${tag}}}` };
  return { kind: 'value', expression: readExpression(tag), isRaw };
}

function readExpression(text: string): Expression {
  const [piece, ...rest] = cutTemplates(`{{${text}}}`);
  if (piece?.kind === 'template' && rest.length === 0) return piece.expression;
  throw invalid(`"{{${text.slice(0, 80)}}}" is not a path.`);
}

/** As Handlebars has it: an empty list is false. */
function isTruthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function invalid(reason: string): AppError {
  return new AppError('template_invalid', { reason });
}
