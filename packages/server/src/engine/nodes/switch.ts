import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import {
  codeLanguage,
  givenParameters,
  languageOptions,
  readParameters,
  runAuthorCode,
} from '#engine/nodes/author-code';
import { done, failed, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';

const nodeIds = z
  .array(z.unknown())
  .nullish()
  .transform((list) => (list ?? []).map(nodeIdOf));

const settings = z.looseObject({
  evaluator_type: z.string({ error: 'evaluator_type is required' }).pipe(
    z
      .string()
      .transform((written) => written.trim().toLowerCase())
      .pipe(z.enum(['value', 'code'], { error: 'use value or code' })),
  ),
  parameters: givenParameters,
  params: givenParameters,
  /** Name of the parameter that decides; with one parameter it goes without saying. */
  key: z.unknown().optional(),
  code: z.string().nullish(),
  language: codeLanguage,
  cases: z
    .array(z.looseObject({ case_value: z.unknown(), case_satisfied_nodes: nodeIds }))
    .nullish()
    .transform((cases) => cases ?? []),
  default_nodes: nodeIds,
});

type Settings = z.output<typeof settings>;

/** Goes on by the first case whose value is the one it finds, or by "default". */
export const switchNode = nodeType({
  type: 'switch',
  label: 'Switch',
  group: 'logic',
  help: 'Compares one value with a list of cases and goes on by the first that is equal.',
  reference: {
    output: '`{evaluated_value, matched_case, final_satisfied_nodes}`.',
    errors: 'A parameter that does not exist. Code that fails decides for the default.',
    effect: '`none`; with code `read`, since it may ask others.',
  },
  // Code of an evaluator that was lost with its worker may run again: it is there to decide.
  effect: ({ evaluator_type }: Settings) => (evaluator_type === 'code' ? 'read' : 'none'),
  fields: {
    evaluator_type: {
      type: 'select',
      label: 'Decide by',
      required: true,
      default: 'value',
      options: [
        { name: 'A value', value: 'value' },
        { name: 'Code', value: 'code' },
      ],
    },
    parameters: { type: 'map', label: 'Parameters' },
    key: { type: 'text', label: 'Name of the parameter that decides' },
    language: { type: 'select', label: 'Language', default: 'javascript', options: languageOptions },
    code: { type: 'code', label: 'Code', help: 'Returns the value to compare with the cases.' },
    cases: {
      type: 'json',
      label: 'Cases',
      required: true,
      help: '[{"case_value": "paid", "case_satisfied_nodes": ["7"]}]; edges leave by case_0, case_1, … and default.',
    },
    default_nodes: {
      type: 'json',
      label: 'Nodes when no case is equal',
      help: 'Ids of nodes, as in the cases.',
    },
  },
  settings,
  literal: ['code', 'language'],
  ports: ({ cases }) => [...(Array.isArray(cases) ? cases.map((_, index) => portOf(index)) : []), 'default'],
  portsTo: ({ cases, default_nodes }, target) => [
    ...(Array.isArray(cases) ? cases : []).flatMap((entry: unknown, index) =>
      isRecord(entry) && leadsTo(entry['case_satisfied_nodes'], target) ? [portOf(index)] : [],
    ),
    ...(leadsTo(default_nodes, target) ? [defaultCase] : []),
  ],
  async run(given, ctx) {
    const found = given.evaluator_type === 'code' ? await byCode(given, ctx) : byValue(given);
    if (!('text' in found)) return found;
    return outcomeFor(given, found.text);
  },
});

const defaultCase = 'default';
const portOf = (index: number): string => `case_${index}`;

interface Found {
  /** Undefined: there is nothing to compare. */
  readonly text: string | undefined;
}

function byValue(given: Settings): Found | NodeOutcome {
  const parameters = readParameters(given.parameters ?? given.params);
  const names = Object.keys(parameters);
  const name = typeof given.key === 'string' && given.key !== '' ? given.key : undefined;
  if (name === undefined && names.length !== 1) {
    return failed({ message: 'key: name the parameter that decides', retry: 'never' });
  }
  const key = name ?? names[0] ?? '';
  if (!Object.hasOwn(parameters, key)) {
    const list = names.length === 0 ? 'there are none' : `there is only ${names.join(', ')}`;
    return failed({ message: `key: there is no parameter "${key}"; ${list}`, retry: 'never' });
  }
  return { text: normalised(parameters[key]) };
}

/** Code that fails decides for the default: the flow goes on, and the console says why. */
async function byCode(given: Settings, ctx: NodeContext): Promise<Found | NodeOutcome> {
  if (given.code === undefined || given.code === null || given.code === '') {
    return failed({ message: 'code: write the code that returns the value', retry: 'never' });
  }
  try {
    const params = readParameters(given.parameters ?? given.params);
    return {
      text: normalised(await runAuthorCode({ code: given.code, language: given.language, params }, ctx)),
    };
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    ctx.log('error', `The code failed, so the default is taken: ${(error as Error).message}`);
    return { text: undefined };
  }
}

function outcomeFor({ cases, default_nodes }: Settings, text: string | undefined): NodeOutcome {
  const index = text === undefined ? -1 : cases.findIndex((entry) => normalised(entry.case_value) === text);
  const matched = cases[index];
  return done(
    {
      evaluated_value: text ?? null,
      matched_case: matched === undefined ? '' : normalised(matched.case_value),
      final_satisfied_nodes: (matched?.case_satisfied_nodes ?? default_nodes).filter(
        (id) => id !== undefined,
      ),
    },
    matched === undefined ? defaultCase : portOf(index),
  );
}

/** Values and cases are compared as text: 5 and "5", true and "true", null and "null" are the same. */
function normalised(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function leadsTo(list: unknown, target: string): boolean {
  return Array.isArray(list) && list.some((entry) => nodeIdOf(entry) === target);
}

/** `"7"`, `7`, or an object that has the id. */
function nodeIdOf(entry: unknown): string | undefined {
  const id = isRecord(entry) ? (entry['node_id'] ?? entry['id']) : entry;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}
