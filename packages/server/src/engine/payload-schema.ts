import { Ajv, type ValidateFunction } from 'ajv';
import type { FieldProblem } from '#domain/errors';

/** Checks payloads against the JSON Schema of a workflow or event. Compiled schemas are kept by their text. */
export interface PayloadChecker {
  /** What is wrong with the payload, each problem with its field; a schema that is none itself accepts everything. */
  problems(schema: Readonly<Record<string, unknown>>, payload: unknown): FieldProblem[];
}

const mostSchemas = 500;

export function createPayloadChecker(): PayloadChecker {
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false, addUsedSchema: false });
  const compiled = new Map<string, ValidateFunction | undefined>();

  function compile(schema: Readonly<Record<string, unknown>>): ValidateFunction | undefined {
    const key = JSON.stringify(schema);
    if (!compiled.has(key)) {
      if (compiled.size >= mostSchemas) compiled.delete(compiled.keys().next().value!);
      try {
        compiled.set(key, ajv.compile(schema));
      } catch {
        compiled.set(key, undefined); // saving checks schemas; one that slipped through must not stop every call
      }
    }
    return compiled.get(key);
  }

  return {
    problems(schema, payload) {
      const validate = compile(schema);
      if (validate === undefined || validate(payload)) return [];
      return (validate.errors ?? []).map(({ instancePath, message = 'is invalid', params }) => ({
        path: [instancePath.slice(1).replaceAll('/', '.'), missingIn(params)].filter(Boolean).join('.'),
        message: 'missingProperty' in params ? 'is required' : message,
      }));
    },
  };
}

function missingIn(params: Record<string, unknown>): string {
  return typeof params['missingProperty'] === 'string' ? params['missingProperty'] : '';
}
