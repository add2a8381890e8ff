import { jsonFaultAt } from './json-fault.ts';

/** A reading of JSON text: its value, or where and why it cannot be read. */
export type JsonReading =
  | { readonly value: unknown; readonly problem?: undefined }
  | { readonly problem: string; readonly line: number };

/** Reads JSON; a mistake is told with its line and column. */
export function readJson(text: string): JsonReading {
  if (text.trim() === '') return { problem: 'Enter a JSON object, for example {"name": ""}.', line: 1 };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    const offset = jsonFaultAt(text) ?? text.length;
    const before = text.slice(0, offset).split('\n');
    const place = `Line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    return { problem: `${place}: ${faultOf(text, offset)}`, line: before.length };
  }
}

/** The same, for a place that takes only an object. */
export function readJsonObject(text: string): JsonReading {
  const reading = readJson(text);
  if (reading.problem !== undefined) return reading;
  const { value } = reading;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return reading;
  return { problem: 'This must be a JSON object: { … }.', line: 1 };
}

function faultOf(text: string, offset: number): string {
  const found = text[offset];
  if (found === undefined) return 'the text ends too early; a bracket or a quote is not closed.';
  if (found === '\n') return 'the line ends inside a text; close it with a double quote.';
  if (found === "'") return 'texts and names stand in double quotes, not single ones.';
  if ((found === '}' || found === ']') && /,\s*$/.test(text.slice(0, offset)))
    return 'there is a comma before the closing bracket.';
  return `“${found}” is not expected here.`;
}
