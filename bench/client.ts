import { Pool } from 'undici';

/** A keep-alive client that throws on anything but 2xx: a load of errors must not look fast. */
export function createClient(origin: string, connections: number) {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  return {
    async send(
      method: 'GET' | 'POST' | 'PUT',
      path: string,
      headers: Record<string, string>,
      body?: unknown,
    ): Promise<string> {
      const answer = await pool.request({
        method,
        path,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300)
        throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`);
      return text;
    },
    close: () => pool.close(),
  };
}
