import { errorCatalogue, type Retry } from '#domain/errors';

const nextStep: Record<Retry, string> = {
  never: 'change the request',
  later: 'try again later',
  after_reconnect: 'let the account connect again',
};

/** Stands in for any detail of a message, so that the reference shows where values go. */
const placeholders: unknown = new Proxy(
  {},
  {
    get: (_target, name) => {
      if (name === 'problems') return [{ path: '‹field›', message: '‹what is wrong with it›' }];
      return typeof name === 'string' ? placeholder(name) : undefined;
    },
  },
);

/** Reads as `‹name›` in a text and as a number in arithmetic. */
function placeholder(name: string): unknown {
  return {
    toString: () => `‹${name}›`,
    [Symbol.toPrimitive]: (hint: string) => (hint === 'number' ? NaN : `‹${name}›`),
  };
}

/** The text of `docs/errors.md`. */
export function errorReference(): string {
  const rows = Object.entries(errorCatalogue).map(([code, { status, wire, retry, message }]) => {
    // A message may be nothing but a detail, which is a placeholder here and no text yet.
    const text = String((message as (details: unknown) => unknown)(placeholders))
      .replaceAll('NaN', '‹…›')
      .replaceAll('|', '\\|')
      .replaceAll('\n', ' ');
    return `| \`${code}\` | ${status} | \`${wire}\` | ${nextStep[retry]} | ${text} |`;
  });
  return [
    '# Errors',
    '',
    '<!-- Generated from packages/server/src/domain/errors.ts by `npm run docs`; a test keeps it equal. -->',
    '',
    'Every answer of 400 and above is JSON of one shape:',
    '',
    '```json',
    '{',
    '  "status_code": 404,',
    '  "http_error_type": "NOT_FOUND",',
    '  "error_type": "NOT_FOUND",',
    '  "error_code": "RESOURCE_NOT_FOUND",',
    '  "error": "RESOURCE_NOT_FOUND",',
    '  "message": "what is wrong, the value seen, and what to do next",',
    '  "request_id": "also in the header X-Trace-ID; it finds the request in the log"',
    '}',
    '```',
    '',
    'A request that fails validation also has `errors`, a list of `{path, message}` with one entry a field. A 429 has',
    "the header `Retry-After` in seconds. Several of our codes share one `error_code`, since Cobalt's clients know",
    'those; the message tells them apart.',
    '',
    '| Our code | Status | `error_code` | What to do | Message |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
