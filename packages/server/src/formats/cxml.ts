import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';
import { AppError } from '#domain/errors';
import { isForbiddenName, isRecord } from '#domain/exact-json';

const longest = 5 * 1024 * 1024;
const deepest = 100;

/** Attributes and text in JSON form: `{"cXML": {"@payloadID": "...", "Header": {...}, "Money": {"@currency": "EUR", "#text": "5"}}}`. */
const form = {
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '#text',
} as const;

/**
 * Reads cXML (or any XML) as JSON. Values stay text: `007` is not 7. A document type may stand there, as cXML asks,
 * but it may declare nothing: entities of a stranger's making are how small files become large, and how files are read
 * that nobody sent (OWASP, XXE). Nothing is ever loaded.
 *
 * @throws AppError `file_content_invalid`, `file_too_large_here`
 */
export function parseXml(text: string, name: string): Record<string, unknown> {
  const invalid = (reason: string): AppError =>
    new AppError('file_content_invalid', { name, format: 'XML', reason });
  if (text.length > longest) throw new AppError('file_too_large_here', { name, limitBytes: longest });
  const source = withoutDoctype(text.replace(/^\uFEFF/, ''), invalid);
  const verdict = XMLValidator.validate(source);
  if (verdict !== true) throw invalid(`${verdict.err.msg} (line ${verdict.err.line})`);
  if (depthOf(source) > deepest) throw invalid(`its elements stand more than ${deepest} deep in one another`);
  const parser = new XMLParser({
    ...form,
    parseTagValue: false,
    parseAttributeValue: false,
    ignoreDeclaration: true,
  });
  const parsed: unknown = parser.parse(source);
  if (!isRecord(parsed) || Object.keys(parsed).length === 0) throw invalid('it holds no element');
  return parsed;
}

/** @throws when the document type declares anything, or stands twice */
function withoutDoctype(source: string, invalid: (reason: string) => AppError): string {
  const start = source.search(/<!DOCTYPE/i);
  if (start === -1) {
    if (/<!(ENTITY|ELEMENT|ATTLIST|NOTATION)/i.test(source))
      throw invalid('it declares entities, which are not read');
    return source;
  }
  const [doctype] =
    /^<!DOCTYPE\s+[\w:.-]+(\s+(SYSTEM\s+("[^"]*"|'[^']*')|PUBLIC\s+("[^"]*"|'[^']*')\s+("[^"]*"|'[^']*')))?\s*>/i.exec(
      source.slice(start, start + 2000),
    ) ?? [undefined];
  if (doctype === undefined) throw invalid('its document type declares entities, which are not read');
  const rest = source.slice(0, start) + source.slice(start + doctype.length);
  if (/<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)/i.test(rest))
    throw invalid('it declares entities, which are not read');
  return rest;
}

/** Only counts: a tag in a comment makes it larger at most. */
function depthOf(source: string): number {
  let depth = 0;
  let most = 0;
  for (const [tag] of source.matchAll(/<\/?[A-Za-z_][^<>]*>/g)) {
    if (tag.startsWith('</')) depth -= 1;
    else if (!tag.endsWith('/>')) depth += 1;
    if (depth > most) most = depth;
  }
  return most;
}

const doctypes: Readonly<Record<string, string>> = {
  cXML: '<!DOCTYPE cXML SYSTEM "http://xml.cxml.org/schemas/cXML/1.2.060/cXML.dtd">\n',
};

/** Writes the JSON form as XML. @throws AppError `file_content_invalid` */
export function stringifyXml(data: unknown, name: string): string {
  const invalid = (reason: string): AppError =>
    new AppError('file_content_invalid', { name, format: 'XML', reason });
  const roots = isRecord(data) ? Object.keys(data).filter((key) => !key.startsWith('?')) : [];
  const [root] = roots;
  if (!isRecord(data) || root === undefined || roots.length > 1)
    throw invalid('give one root element: {"cXML": {...}}');
  checkNames(data, 0, invalid);
  const builder = new XMLBuilder({
    ...form,
    format: true,
    suppressEmptyNode: true,
    suppressBooleanAttributes: false,
  });
  const body = builder.build({ [root]: data[root] });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${doctypes[root] ?? ''}${body}`;
}

/** A key becomes a tag as it stands: what is no name would break the document open. */
function checkNames(value: unknown, depth: number, invalid: (reason: string) => AppError): void {
  if (depth > deepest) throw invalid(`it is nested more than ${deepest} deep`);
  if (Array.isArray(value)) {
    for (const item of value) checkNames(item, depth + 1, invalid);
    return;
  }
  if (!isRecord(value)) return;
  for (const [key, item] of Object.entries(value)) {
    const name = key.replace(/^@/, '');
    if (key !== '#text' && (!/^[A-Za-z_][\w.:-]*$/.test(name) || isForbiddenName(name))) {
      throw invalid(`"${key.slice(0, 60)}" is not a name of an element or attribute`);
    }
    checkNames(item, depth + 1, invalid);
  }
}
