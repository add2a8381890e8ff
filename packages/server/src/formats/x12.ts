import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { asText } from '#domain/template';

/**
 * ANSI ASC X12 interchanges. JSON form: `{interchange: {...}, segments: [{id: "ISA", elements: ["00", ...]}]}`, where an
 * element with components is a list of them. Envelopes stay segments like all others, so that nothing is lost and
 * reading what was written gives the same again.
 */
export interface X12Document {
  readonly delimiters: { readonly element: string; readonly segment: string; readonly component: string };
  readonly segments: readonly {
    readonly id: string;
    readonly elements: readonly (string | readonly string[])[];
  }[];
}

const isaLength = 106;
const longestInterchange = 5 * 1024 * 1024;

/**
 * Reads an interchange. The ISA segment has a fixed length and says itself which delimiters follow (X12.5 §3.4);
 * a fragment without ISA is read by those given.
 *
 * @throws AppError `file_content_invalid`
 */
export function parseX12(
  text: string,
  given: { element?: string | undefined; segment?: string | undefined },
  name: string,
): X12Document {
  const invalid = (reason: string): AppError =>
    new AppError('file_content_invalid', { name, format: 'X12', reason });
  if (text.length > longestInterchange)
    throw new AppError('file_too_large_here', { name, limitBytes: longestInterchange });
  const body = text.replace(/^\uFEFF/, '').trimStart();
  const hasIsa = body.startsWith('ISA');
  if (hasIsa && body.length < isaLength) throw invalid('its ISA segment is shorter than 106 characters');
  const element = hasIsa ? body.charAt(3) : (given.element ?? '*');
  const component = hasIsa ? body.charAt(isaLength - 2) : ':';
  const segment = hasIsa ? body.charAt(isaLength - 1) : (given.segment ?? '~');
  const segments = body
    .split(segment)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part, index) => {
      const [id = '', ...elements] = part.split(element);
      if (!/^[A-Z][A-Z0-9]{1,2}$/.test(id)) {
        throw invalid(`segment ${index + 1} begins with "${id.slice(0, 20)}", which is no segment id`);
      }
      // ISA16 is the component separator itself.
      const isWhole = id === 'ISA';
      return {
        id,
        elements: elements.map((value) =>
          !isWhole && value.includes(component) ? value.split(component) : value,
        ),
      };
    });
  if (segments.length === 0) throw invalid('it holds no segment');
  return { delimiters: { element, segment, component }, segments };
}

/** Segments that count others: number of the element, and how it is found. */
const counters = new Set(['SE', 'GE', 'IEA']);

/**
 * Writes an interchange from the JSON form, or from a list of segments.
 *
 * @throws AppError `file_content_invalid` for a value that holds a delimiter, which X12 cannot escape
 */
export function stringifyX12(
  data: unknown,
  given: { element?: string | undefined; segment?: string | undefined },
  name: string,
): string {
  const invalid = (reason: string): AppError =>
    new AppError('file_content_invalid', { name, format: 'X12', reason });
  const own = isRecord(data) && isRecord(data['delimiters']) ? data['delimiters'] : {};
  const element = given.element ?? (asText(own['element']) || '*');
  const segment = given.segment ?? (asText(own['segment']) || '~');
  const component = asText(own['component']) || ':';
  const list = Array.isArray(data) ? data : isRecord(data) ? data['segments'] : undefined;
  if (!Array.isArray(list) || list.length === 0)
    throw invalid('give {"segments": [{"id": "ISA", "elements": [...]}]}');

  const plain = (value: unknown, at: string, separators: readonly string[]): string => {
    const text = asText(value);
    if (separators.some((separator) => text.includes(separator))) {
      throw invalid(`${at} holds a delimiter: "${text.slice(0, 60)}"; choose other delimiters`);
    }
    return text;
  };
  const written = list.map((entry: unknown, index): string => {
    const id = isRecord(entry) ? asText(entry['id']) : '';
    const elements = isRecord(entry) ? entry['elements'] : undefined;
    if (!/^[A-Z][A-Z0-9]{1,2}$/.test(id) || !Array.isArray(elements)) {
      throw invalid(`segment ${index + 1} needs an "id" such as "ISA" and a list of "elements"`);
    }
    const texts = elements.map((value: unknown, n) => {
      const at = `${id}${String(n + 1).padStart(2, '0')}`;
      if (Array.isArray(value)) {
        return value.map((part) => plain(part, at, [element, segment, component])).join(component);
      }
      return plain(value, at, [element, segment]);
    });
    // Trailing empty elements are left out (X12.6 §3.4), but ISA has a fixed length and counters their place.
    const keepsPlace = id === 'ISA' || counters.has(id);
    if (!keepsPlace) while (texts.at(-1) === '') texts.pop();
    return [id, ...texts].join(element);
  });
  return `${written.join(segment)}${segment}`;
}
