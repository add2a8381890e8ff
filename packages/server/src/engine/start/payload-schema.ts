import type { FieldProblem } from '#domain/errors';
import { schemaCompiler, type SchemaCheck } from '#domain/json-schema';

/** Checks payloads against the JSON Schema of a workflow. */
export interface PayloadChecker {
  /** What is wrong with the payload, each problem with its field; a schema that is none itself accepts everything. */
  problems(schema: Readonly<Record<string, unknown>>, payload: unknown): FieldProblem[];
}

export function createPayloadChecker(): PayloadChecker {
  const compile = schemaCompiler();

  function checkOf(schema: Readonly<Record<string, unknown>>): SchemaCheck {
    try {
      return compile(schema);
    } catch {
      return () => []; // saving checks schemas; one that slipped through must not stop every call
    }
  }

  return {
    problems: (schema, payload) =>
      checkOf(schema)(payload).map(({ instancePath, message = 'is invalid', params }) => ({
        path: [instancePath.slice(1).replaceAll('/', '.'), missingIn(params)].filter(Boolean).join('.'),
        message: 'missingProperty' in params ? 'is required' : message,
      })),
  };
}

function missingIn(params: Readonly<Record<string, unknown>>): string {
  return typeof params['missingProperty'] === 'string' ? params['missingProperty'] : '';
}
