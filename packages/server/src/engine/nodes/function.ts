import { z } from 'zod';
import { AppError } from '#domain/errors';
import { findLibraryFunction, functionNodeType, readInputs } from '#functions/index';
import { givenParameters, readParameters, runAuthorCode } from '#engine/nodes/author-code';
import { done, nodeType } from '#engine/nodes/node-type';

const settings = z.looseObject({
  function_id: z.string({ error: 'choose a function' }).min(1, { message: 'choose a function' }),
  /** Written by publishing; a draft calls the latest one. */
  function_version: z.coerce.number().int().positive().optional(),
  inputs: givenParameters,
  params: givenParameters,
  parameters: givenParameters,
});

/** Calls code that the tenant's workflows share, or one of the built-in functions. */
export const callFunction = nodeType({
  type: functionNodeType,
  label: 'Function',
  group: 'code',
  help: 'Calls a function that your workflows share. A published workflow keeps the version it was published with.',
  reference: {
    output: 'What the function returns.',
    errors:
      'A function that was deleted; an input that is missing or of another type, by its name; and as of Custom Code.',
    effect: 'built-in functions are `none`; your own are `once`, as Custom Code is.',
  },
  effect: ({ function_id: id }) => (findLibraryFunction(id) === undefined ? 'once' : 'none'),
  fields: {
    function_id: { type: 'function', label: 'Function', required: true },
    inputs: { type: 'function_inputs', label: 'Inputs' },
  },
  settings,
  literal: ['function_id', 'function_version'],
  async run(given, ctx) {
    const inputs = readParameters(given.inputs ?? given.params ?? given.parameters);
    const builtIn = findLibraryFunction(given.function_id);
    if (builtIn !== undefined) return done(runBuiltIn(builtIn, inputs, ctx.now));
    const found = await ctx.services.findFunction(ctx.tenant, given.function_id, given.function_version);
    const params = readInputs(found.name, found.inputs, inputs);
    return done(await runAuthorCode({ code: found.code, language: found.language, params }, ctx));
  },
});

function runBuiltIn(
  { name, inputs: fields, run }: NonNullable<ReturnType<typeof findLibraryFunction>>,
  inputs: Record<string, unknown>,
  now: Date,
): unknown {
  const read = readInputs(name, fields, inputs);
  try {
    return run(read, now);
  } catch (error) {
    throw new AppError(
      'function_input_invalid',
      { name, reason: (error as Error).message },
      { cause: error },
    );
  }
}
