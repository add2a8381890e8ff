import { z } from 'zod';

/** A time as the wire writes it: ISO 8601, UTC, milliseconds, `Z`. */
export function wireTime(at: Date): string {
  return at.toISOString();
}

/** A number of the query; malformed or below 1 means the default (spec/api §2.4). */
const lenient = (fallback: number, max: number) =>
  z
    .preprocess((value) => {
      const number = Number(value);
      return Number.isInteger(number) && number >= 1 ? Math.min(number, max) : fallback;
    }, z.int().min(1).max(max).default(fallback))
    .optional()
    .transform((value) => value ?? fallback);

/** The query of every paged list. Unknown keys are ignored. */
export const pageQuery = z.object({ page: lenient(1, 1_000_000), limit: lenient(10, 100) });

export interface PageRequest {
  readonly page: number;
  readonly limit: number;
}

/** Schema of the page envelope around `item`. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    docs: z.array(item),
    totalDocs: z.int(),
    limit: z.int(),
    totalPages: z.int(),
    page: z.int(),
    pagingCounter: z.int(),
    hasPrevPage: z.boolean(),
    hasNextPage: z.boolean(),
    prevPage: z.int().nullable(),
    nextPage: z.int().nullable(),
  });
}

/** The page envelope of spec/api §2.4: all ten keys, always. */
export function page<T>(docs: T[], totalDocs: number, { page, limit }: PageRequest) {
  const totalPages = Math.max(1, Math.ceil(totalDocs / limit));
  return {
    docs,
    totalDocs,
    limit,
    totalPages,
    page,
    pagingCounter: (page - 1) * limit + 1,
    hasPrevPage: page > 1,
    hasNextPage: page < totalPages,
    prevPage: page > 1 ? page - 1 : null,
    nextPage: page < totalPages ? page + 1 : null,
  };
}
