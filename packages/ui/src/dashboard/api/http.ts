/** The two worlds of an organisation; every call of the dashboard is about one of them. */
export type Environment = 'test' | 'production';

interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

/** A refused or failed call, in the server's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: readonly FieldProblem[];

  constructor(
    status: number,
    code: string,
    message: string,
    problems: readonly FieldProblem[],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.problems = problems;
  }

  /** What the server says about one field of the form. */
  problemOf(path: string): string | undefined {
    const found = this.problems.find((problem) => problem.path === path);
    return found && sentence(found.message);
  }
}

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly environment?: Environment;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One call of the dashboard's API. @throws ApiError, except that an abort keeps its own error */
export async function api<T>(path: string, call: Call = {}): Promise<T> {
  const { method = 'GET', environment, query, body, signal } = call;
  let response: Response;
  try {
    response = await fetch(`/api/admin${path}${searchOf(query)}`, {
      method,
      cache: 'no-store',
      credentials: 'same-origin',
      headers: {
        ...(environment !== undefined && { 'x-inlay-environment': environment }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const message = navigator.onLine ? 'The server could not be reached.' : 'This browser is offline.';
    throw new ApiError(0, 'unreachable', message, [], { cause });
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  const { error_code, message, errors } = (answer ?? {}) as Partial<{
    error_code: string;
    message: string;
    errors: FieldProblem[];
  }>;
  throw new ApiError(
    response.status,
    error_code ?? 'unknown',
    message ?? `The server answered with status ${response.status}.`,
    errors ?? [],
  );
}

/** The words of any thrown value. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function searchOf(query: Call['query']): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search === '' ? '' : `?${search}`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}
