/** Why a call did not give its answer. */
export type ProblemKind = 'offline' | 'link_expired' | 'not_found' | 'refused' | 'server';

/** A failed call, with the server's own words where they are meant for the reader. */
export class Problem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Problem';
    this.kind = kind;
  }
}

/** Any thrown value as a Problem: what is not one of ours is a fault of the program, told as such. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('server', String(error), { cause: error });
}
