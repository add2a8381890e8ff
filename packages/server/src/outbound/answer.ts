import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Dispatcher } from 'undici';
import { AppError } from '#domain/errors';

/** Reading what third parties answer: never more than asked for, packed or not. */

/** An answer whose body has not been read: read it to its end, or destroy it. */
export interface OutboundStream {
  readonly status: number;
  /** Names in lower case; repeated ones joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/** Headers with names in lower case, repeated ones joined. */
export function joinedHeaders(response: Dispatcher.ResponseData): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** An answer whose body the caller reads. */
export function streamed(response: Dispatcher.ResponseData, url: URL): OutboundStream {
  const { 'content-encoding': encoding, ...headers } = joinedHeaders(response);
  // Asked for as it is, some servers pack it all the same.
  const body =
    encoding === 'gzip' || encoding === 'x-gzip'
      ? pipeline(response.body, zlib.createGunzip(), () => undefined)
      : response.body;
  return { status: response.statusCode, headers, body, url: url.href };
}

/** A body of at most `limit` bytes. @throws AppError `egress_response_too_large` */
export async function readUpTo(body: AsyncIterable<Buffer>, limit: number, url: URL): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the stream, and with it the socket.
    if (size > limit) throw new AppError('egress_response_too_large', { host: url.host, limitBytes: limit });
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, size);
}

const decoders: Readonly<Record<string, (raw: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  'x-gzip': promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  deflate: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate),
};

/** A body unpacked. @throws AppError `egress_response_too_large` when it swells beyond the limit */
export async function decoded(
  raw: Buffer,
  encoding: string | undefined,
  limit: number,
  url: URL,
): Promise<Buffer> {
  const decode = encoding === undefined ? undefined : decoders[encoding.toLowerCase()];
  if (decode === undefined || raw.length === 0) return raw;
  try {
    return await decode(raw, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new AppError('egress_response_too_large', { host: url.host, limitBytes: limit });
    }
    throw error;
  }
}
