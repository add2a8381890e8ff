import { z } from 'zod';
import { isRecord, parseExactJson } from '#domain/exact-json';
import { failed, nodeType } from '#engine/nodes/node-type';

const mostConcurrent = 100;

/** What a loop goes over. */
export type LoopSettings = {
  readonly concurrent_batches: number;
  readonly allow_partial_success: boolean;
  /** Number of iterations; of a do-while loop nobody knows it. */
  readonly count: number;
} & (
  { readonly mode: 'fixed' | 'do_while' } | { readonly mode: 'array'; readonly items: readonly unknown[] }
);

const modes: Readonly<Record<string, LoopSettings['mode']>> = {
  fixed: 'fixed',
  count: 'fixed',
  array: 'array',
  for_each: 'array',
  do_while: 'do_while',
  dowhile: 'do_while',
  while: 'do_while',
};

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

const settings = z
  .looseObject({
    mode: z.unknown().optional(),
    loop_type: z.unknown().optional(),
    count: z.unknown().optional(),
    fanout_array: z.unknown().optional(),
    concurrent_batches: z.unknown().optional(),
    allow_partial_success: z.union([z.boolean(), z.stringbool()]).nullish(),
  })
  .transform((given, ctx): LoopSettings => {
    const mode = readMode(given.mode ?? given.loop_type, given);
    const items = mode === 'array' ? readItems(given.fanout_array) : [];
    const count = mode === 'fixed' ? wholeNumber(given.count, 0, Number.MAX_SAFE_INTEGER) : 0;
    const lanes = isGiven(given.concurrent_batches)
      ? wholeNumber(given.concurrent_batches, 1, mostConcurrent)
      : 50;
    const refuse = (path: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [path], message });
    if (mode === undefined) refuse('mode', 'use fixed, array or do_while');
    if (items === undefined) {
      refuse('fanout_array', 'found no array to loop over; check the template that should give one');
    }
    if (count === undefined) refuse('count', 'write a whole number of iterations, 0 or more');
    if (lanes === undefined) {
      refuse('concurrent_batches', `write a whole number from 1 to ${mostConcurrent}`);
    }
    if (mode === undefined || items === undefined || count === undefined || lanes === undefined)
      return z.NEVER;
    const common = {
      concurrent_batches: lanes,
      allow_partial_success: given.allow_partial_success === true,
    };
    return mode === 'array' ? { ...common, mode, items, count: items.length } : { ...common, mode, count };
  });

/** Without a mode the loop is of the kind that its settings are for. */
function readMode(
  written: unknown,
  given: Readonly<Record<string, unknown>>,
): LoopSettings['mode'] | undefined {
  if (isGiven(written))
    return modes[
      String(written)
        .trim()
        .toLowerCase()
        .replaceAll(/[\s-]+/g, '_')
    ];
  if (given['fanout_array'] !== undefined) return 'array';
  return isGiven(given['count']) ? 'fixed' : undefined;
}

/** An array, JSON text of one, or the result of another loop. */
function readItems(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (isRecord(value) && Array.isArray(value['loop_results'])) return value['loop_results'];
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return undefined;
  try {
    const read = parseExactJson(value);
    return Array.isArray(read) ? read : undefined;
  } catch {
    return undefined; // the caller says what it wants instead
  }
}

function wholeNumber(value: unknown, least: number, most: number): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most
    ? number
    : undefined;
}

/** Runs the nodes inside it once an item, a number of times, or as long as a rule holds. */
export const loop = nodeType<LoopSettings>({
  type: 'loop',
  label: 'Loop',
  group: 'control',
  help: 'Runs the nodes inside it for each item of a list, a number of times, or as long as a rule holds.',
  reference: {
    output:
      '`{loop_results, total_iterations, successful_iterations, failed_iterations}`, in the order of the list. `{{node.5.body.0}}` reads the first result.',
    errors:
      'Nothing to loop over; the error of the first failed iteration, after all of them, unless `allow_partial_success` is on; more than 10,000 iterations an execution.',
  },
  effect: 'none',
  fields: {
    mode: {
      type: 'select',
      label: 'Repeat',
      required: true,
      default: 'array',
      options: [
        { name: 'For each item of a list', value: 'array' },
        { name: 'A number of times', value: 'fixed' },
        { name: 'As long as a rule holds', value: 'do_while' },
      ],
    },
    fanout_array: { type: 'json', label: 'List', help: 'Inside: {{array_item}}.' },
    count: { type: 'number', label: 'Number of times' },
    concurrent_batches: {
      type: 'number',
      label: 'Iterations at the same time',
      default: 50,
      help: 'From 1 to 100.',
    },
    while: { type: 'conditions', label: 'Go on while', help: 'Asked after each iteration.' },
    break_cases: {
      type: 'json',
      label: 'Break cases',
      help: 'A list of rules. When one holds, the rest of the iteration is left out and the loop ends.',
    },
    output_data: {
      type: 'json',
      label: 'Output of an iteration',
      help: 'Reads nodes inside. Without it: what the last node gave.',
    },
    allow_partial_success: { type: 'boolean', label: 'Go on when some iterations failed', default: false },
  },
  settings,
  container: ['body'],
  inside: ['output_data', 'while', 'break_cases'],
  run: () => failed({ message: 'A loop is walked by the engine.', retry: 'never' }),
});
