/**
 * What the two ends of a sandbox process say to each other: frames of a length, a kind and a body. The end
 * that may be hostile is the child, so the reader refuses a frame that is too long before it holds it.
 */

/** Parent to child: boot, job, answer. Child to parent: ready, console, ask (fetch), variables, result, failed. */
const kinds = ['boot', 'job', 'answer', 'ready', 'console', 'ask', 'result', 'failed', 'variables'] as const;

export type FrameKind = (typeof kinds)[number];

const headerBytes = 5;

/** One frame as bytes. */
export function encodeFrame(kind: FrameKind, body: string): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + Buffer.byteLength(body));
  frame.writeUInt32BE(frame.length - headerBytes, 0);
  frame.writeUInt8(kinds.indexOf(kind), 4);
  frame.write(body, headerBytes);
  return frame;
}

/**
 * Puts a stream of chunks together to frames.
 *
 * @param maxBytes - longest body of a kind; 0 means that the kind is not expected from this side.
 * @throws Error from the returned function when the other side breaks the rules.
 */
export function frameReader(
  maxBytes: (kind: FrameKind) => number,
  onFrame: (kind: FrameKind, body: string) => void,
): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  let wanted = headerBytes;
  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      chunks = [all];
      const length = all.readUInt32BE(0);
      const kind = kinds[all.readUInt8(4)];
      if (kind === undefined || length > maxBytes(kind)) throw new Error('a frame that is not allowed');
      if (held < headerBytes + length) {
        wanted = headerBytes + length;
        break;
      }
      const rest = all.subarray(headerBytes + length);
      chunks = rest.length === 0 ? [] : [rest];
      held = rest.length;
      wanted = headerBytes;
      onFrame(kind, all.toString('utf8', headerBytes, headerBytes + length));
    }
  };
}
