import { Problem } from './problem.ts';

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** One JSON call to our own server. @throws Problem, always; an abort keeps its own `AbortError`. */
export async function call<T>({
  method = 'GET',
  path,
  query,
  body,
  token,
  headers,
  signal,
}: Call): Promise<T> {
  const search = new URLSearchParams(query).toString();
  let response: Response;
  try {
    response = await fetch(search === '' ? path : `${path}?${search}`, {
      method,
      cache: 'no-store',
      credentials: 'same-origin',
      headers: {
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    // fetch tells a refused connection and a missing network apart in no other way.
    throw new Problem(navigator.onLine ? 'server' : 'offline', 'The server could not be reached.', {
      cause: error,
    });
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new Problem(kindOf(response.status), messageOf(answer));
  return answer as T;
}

function kindOf(status: number): Problem['kind'] {
  if (status === 401) return 'link_expired';
  if (status === 404) return 'not_found';
  // 502: the connected app failed, and the message says how.
  return (status < 500 && status !== 429) || status === 502 ? 'refused' : 'server';
}

function messageOf(answer: unknown): string {
  const message = (answer as { message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message : '';
}
