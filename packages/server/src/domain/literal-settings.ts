import { z } from 'zod';
import { compileTemplate } from '#domain/template';
import { AppError } from '#domain/errors';

/** What of a node type decides about its settings. */
export interface SettingsSchema {
  readonly settings?: z.ZodType;
  readonly literal?: readonly string[];
  readonly inside?: readonly string[];
}

/**
 * What is wrong with settings that hold no template, so that nobody has to run a workflow to be told. Where every
 * setting is literal the whole schema decides; where some are templates, what they will hold is unknown, and each
 * literal one is judged by itself: a rule about two settings waits for the run.
 *
 * @returns problems with the path inside the settings
 */
export function literalSettingProblems(
  data: Readonly<Record<string, unknown>>,
  type: SettingsSchema,
): { path: readonly PropertyKey[]; message: string }[] {
  const { settings: schema, literal = [], inside = [] } = type;
  if (schema === undefined) return [];
  const given = Object.entries(data).filter(([field]) => !inside.includes(field));
  const fixed = given.filter(([field, value]) => literal.includes(field) || isLiteral(value));
  if (fixed.length === given.length) return issuesOf(schema, Object.fromEntries(given));
  const shape = shapeOf(schema);
  return fixed.flatMap(([field, value]) => {
    const own = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (own === undefined) return [];
    return issuesOf(own, value).map(({ path, message }) => ({ path: [field, ...path], message }));
  });
}

function issuesOf(schema: z.ZodType, value: unknown): { path: readonly PropertyKey[]; message: string }[] {
  const checked = schema.safeParse(value);
  return checked.success ? [] : checked.error.issues.map(({ path, message }) => ({ path, message }));
}

/** Braces that are no template are told elsewhere. */
function isLiteral(value: unknown): boolean {
  try {
    return compileTemplate(value).kind === 'literal';
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/** The fields of an object schema, also behind what reads its result on or its input before. */
function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodPipe) {
    const { in: before, out } = schema as z.ZodPipe<z.ZodType, z.ZodType>;
    return shapeOf(before instanceof z.ZodTransform ? out : before);
  }
  return {};
}
