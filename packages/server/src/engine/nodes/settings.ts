import { z } from 'zod';
import { AppError } from '#domain/errors';
import { optionalNumber } from '#domain/optional-number';
import { asText } from '#domain/template';

/** Forms of settings that several node types share. */

const oneFile = z.union(
  [
    z
      .string()
      .trim()
      .min(1)
      .transform((url) => ({ url, name: undefined })),
    z
      .looseObject({
        url: z.string().trim().min(1).optional(),
        file_url: z.string().trim().min(1).optional(),
        name: z.string().optional(),
        file_name: z.string().optional(),
      })
      .transform(({ url, file_url, name, file_name }, ctx) => {
        const at = url ?? file_url;
        if (at !== undefined) return { url: at, name: name ?? file_name };
        ctx.addIssue({ code: 'custom', path: ['url'], message: 'is missing' });
        return z.NEVER;
      }),
  ],
  { error: 'is not a file: give its URL or id, or {"url": ..., "name": ...}' },
);

/** A setting that an action of the node cannot do without. @throws AppError `missing_field` */
export function need<T>(value: T | undefined, field: string): T {
  if (value === undefined || value === '') throw new AppError('missing_field', { field });
  return value;
}

/** A list of files: URLs or ids, as an array, one text with commas, or `{url, name}` objects as nodes return them. */
export function fileList(most: number) {
  return z.preprocess(
    (given) => {
      if (given === undefined || given === null || given === '') return [];
      if (typeof given === 'string') {
        return given
          .split(/[,\n]/)
          .map((part) => part.trim())
          .filter((part) => part !== '');
      }
      return Array.isArray(given) ? given : [given];
    },
    z.array(oneFile).max(most, `name ${most} files at most`),
  );
}

/** `true`, `"true"`, `"yes"`, `"on"`, 1: forms and templates give switches as text. */
export function flag(fallback: boolean) {
  return z
    .unknown()
    .optional()
    .transform((given) => {
      if (given === undefined || given === null || given === '') return fallback;
      return given === true || given === 1 || /^(true|yes|on|1)$/i.test(asText(given));
    });
}

/** How long a file lives: `infinite_expiry` for ever, else `ttl` seconds (absent: the store's default). */
export const lifetime = {
  ttl: optionalNumber(1, 10 * 365 * 86_400),
  infinite_expiry: flag(false),
} as const;

/** The part of a file to write that follows from `lifetime`. */
export function lifetimeOf(given: { ttl?: number | undefined; infinite_expiry: boolean }): {
  ttlS?: number | null;
} {
  if (given.infinite_expiry) return { ttlS: null };
  return given.ttl === undefined ? {} : { ttlS: given.ttl };
}
