import { z } from 'zod';
import { nodeType, type Termination } from '#engine/nodes/node-type';

/** The actions, and what each ends. The two deprecated ones are read, not offered. */
const actions = {
  terminate: 'execution',
  terminate_iteration: 'iteration',
  terminate_loop: 'loop',
  terminate_with_error: 'execution',
  terminate_with_success: 'iteration',
} as const satisfies Record<string, Termination['scope']>;

type Action = keyof typeof actions;

const flag = z.union([z.boolean(), z.stringbool()]).nullish();

const settings = z.looseObject({
  action: z
    .string()
    .default('terminate')
    .transform((written) =>
      written
        .trim()
        .toLowerCase()
        .replaceAll(/[\s-]+/g, '_'),
    )
    .pipe(
      z.enum(Object.keys(actions) as [Action, ...Action[]], {
        error: 'use terminate, terminate_iteration or terminate_loop',
      }),
    ),
  message: z.unknown().optional(),
  status_code: z.coerce.number().int().min(200).max(599).nullish(),
  /** `error`, `success` or neither; older documents have two switches. */
  status: z.enum(['error', 'success', 'terminated', '']).nullish(),
  error: flag,
  success: flag,
});

/** What an action ends: the execution, the iteration around the node, or the loop around it. */
export function scopeOf(action: string): Termination['scope'] {
  return Object.hasOwn(actions, action) ? actions[action as Action] : 'execution';
}

/** Ends the execution, or only the iteration or loop that the node stands in. */
export const terminateNode = nodeType({
  type: 'terminate',
  label: 'Terminate',
  group: 'control',
  help: 'Ends the execution with all its branches; inside a loop, the iteration or the loop if you say so.',
  reference: {
    output: '`{message, statusCode, action}`.',
    errors: 'None: it is an end, not a failure, unless you say so.',
  },
  effect: 'none',
  fields: {
    action: {
      type: 'select',
      label: 'What to end',
      default: 'terminate',
      options: [
        { name: 'The execution', value: 'terminate' },
        { name: 'This iteration', value: 'terminate_iteration' },
        { name: 'The loop', value: 'terminate_loop' },
      ],
    },
    status: {
      type: 'select',
      label: 'Ends as',
      options: [
        { name: 'Terminated (iterations and loops: as an error)', value: '' },
        { name: 'Error', value: 'error' },
        { name: 'Success', value: 'success' },
      ],
    },
    message: { type: 'textarea', label: 'Message' },
    status_code: { type: 'number', label: 'Status code', default: 200 },
  },
  settings,
  ports: () => [],
  placeProblem: ({ action }, around) => {
    const isOfLoop = action === 'terminate_iteration' || action === 'terminate_loop';
    return isOfLoop && !around.includes('loop')
      ? `ends ${action === 'terminate_loop' ? 'a loop' : 'an iteration'}, but stands in no loop; move it into one or choose "terminate"`
      : undefined;
  },
  run({ action, message, status_code, status, error, success }) {
    const asked =
      status === ''
        ? undefined
        : (status ?? (error === true ? 'error' : success === true ? 'success' : undefined));
    return {
      kind: 'terminated',
      scope: scopeOf(action),
      result: fixedResults[action] ?? asked ?? (action === 'terminate' ? 'terminated' : 'error'),
      body: {
        message: asMessage(message),
        statusCode: status_code ?? (action === 'terminate_with_error' ? 500 : 200),
        action,
      },
    };
  },
});

const fixedResults: Partial<Record<Action, Termination['result']>> = {
  terminate_with_error: 'error',
  terminate_with_success: 'success',
};

function asMessage(message: unknown): string {
  if (message === undefined || message === null || message === '') return 'The execution was terminated.';
  return typeof message === 'string' ? message : JSON.stringify(message);
}
