import { z } from 'zod';
import {
  codeLanguage,
  givenParameters,
  languageOptions,
  readParameters,
  runAuthorCode,
} from '#engine/nodes/author-code';
import { done, nodeType } from '#engine/nodes/node-type';

const settings = z.looseObject({
  code: z.string({ error: 'write the code: a function yourFunction(params)' }).min(1),
  language: codeLanguage,
  params: givenParameters,
  parameters: givenParameters,
});

/** Runs a function of the author in the sandbox; what it returns is the node's body. */
export const customCode = nodeType({
  type: 'custom_code',
  label: 'Custom Code',
  group: 'code',
  help: 'Runs your JavaScript or Python: a function yourFunction(params). What it returns is the output.',
  reference: {
    output: 'What the function returns, as JSON holds it. What it prints stands in the console of the node.',
    errors:
      'What the code throws, with its line; code that cannot be read; 60 s (`INLAY_CODE_TIMEOUT_S`), 256 MB.',
  },
  // It may call anything by HTTP; after an unknown outcome it is not run again.
  effect: 'once',
  fields: {
    language: { type: 'select', label: 'Language', default: 'javascript', options: languageOptions },
    params: { type: 'map', label: 'Parameters', help: 'Read them in the code as params.<name>.' },
    code: {
      type: 'code',
      label: 'Code',
      required: true,
      default: 'async function yourFunction(params) {\n  return params;\n}\n',
    },
  },
  settings,
  literal: ['code', 'language'],
  async run({ code, language, params, parameters }, ctx) {
    return done(await runAuthorCode({ code, language, params: readParameters(params ?? parameters) }, ctx));
  },
});
