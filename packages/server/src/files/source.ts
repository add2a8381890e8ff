import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { Outbound } from '#outbound/index';
import type { FileStore } from '#files/store';
import { safeName } from '#files/store';

/** Something to read, wherever it is. Read `bytes` to its end, or leave its loop: that lets go of the source. */
export interface FileSource {
  readonly name: string;
  readonly contentType: string;
  /** When it is known before reading. */
  readonly size: number | undefined;
  readonly bytes: AsyncIterable<Buffer>;
}

export interface SourceOptions {
  /** A bare id is found only among the files of this account. */
  readonly linkedAccountId: string;
  readonly signal: AbortSignal;
  /** More than this ends the reading with `file_too_large_here`. */
  readonly limitBytes: number;
}

/** Opens what a workflow names as a file: the id or link of a stored file, or an address on the internet. */
export type OpenSource = (tenant: Tenant, source: string, options: SourceOptions) => Promise<FileSource>;

const silenceMs = 60_000;

/** @returns a function that throws AppError `file_not_found`, `file_link_expired`, `file_source_failed`, `egress_…` */
export function createOpenSource(deps: {
  readonly files: FileStore;
  readonly outbound: Outbound;
}): OpenSource {
  return async (tenant, source, { linkedAccountId, signal, limitBytes }) => {
    const written = source.trim();
    if (!/^https?:/i.test(written) || deps.files.isOurLink(written)) {
      const file = await deps.files.read(tenant, written, { linkedAccountId });
      const { name, contentType, size } = file;
      return { name, contentType, size, bytes: limited(file.bytes(), limitBytes, name) };
    }
    const answer = await deps.outbound.open({ url: written, signal, timeoutMs: silenceMs });
    const name = nameOf(answer.headers['content-disposition'], answer.url);
    if (answer.status < 200 || answer.status > 299) {
      answer.body.on('error', () => undefined).destroy(); // nobody reads what it says
      throw new AppError('file_source_failed', { host: new URL(answer.url).host, status: answer.status });
    }
    const declared = Number(answer.headers['content-length'] ?? Number.NaN);
    return {
      name,
      contentType: answer.headers['content-type'] ?? 'application/octet-stream',
      size: Number.isSafeInteger(declared) ? declared : undefined,
      bytes: limited(answer.body as AsyncIterable<Buffer>, limitBytes, name),
    };
  };
}

/** Passes bytes on, and ends with `file_too_large_here` when there are more than `limitBytes`. */
export async function* limited(
  bytes: AsyncIterable<Buffer>,
  limitBytes: number,
  name: string,
): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limitBytes) throw new AppError('file_too_large_here', { name, limitBytes });
    yield chunk;
  }
}

/** All bytes of a source, which should have been limited. */
export async function readAll(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The name that the server gives it (RFC 6266), or the last part of its address. */
function nameOf(disposition: string | undefined, url: string): string {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '')?.[1];
  const plain = /filename="?([^";]+)"?/i.exec(disposition ?? '')?.[1];
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  return safeName(extended === undefined ? (plain ?? decodedName(last)) : decodedName(extended));
}

function decodedName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded: as it is
  }
}
