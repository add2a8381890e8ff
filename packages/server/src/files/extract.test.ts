import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpacked, type ArchiveKind } from '#files/extract';
import { zipOf } from '#formats/testing';

const megabyte = 1024 * 1024;

/** How many bytes come out of an archive. */
async function unpackedSize(archive: Buffer, kind: ArchiveKind, name: string): Promise<number> {
  const range = async function* (start: number, end: number): AsyncGenerator<Buffer> {
    yield archive.subarray(start, end + 1);
  };
  let size = 0;
  for await (const { bytes } of unpacked({ size: archive.length, range }, kind, name)) {
    for await (const chunk of bytes) size += chunk.length;
  }
  return size;
}

test('an archive that explodes is refused, a file at a time or over all its files', async () => {
  const bombs: [ArchiveKind, Buffer][] = [
    ['gz', gzipSync(Buffer.alloc(65 * megabyte))],
    ['zip', zipOf([{ name: 'z', content: Buffer.alloc(65 * megabyte) }])],
    ['zip', zipOf(['a', 'b', 'c'].map((name) => ({ name, content: Buffer.alloc(22 * megabyte) })))],
  ];
  for (const [kind, archive] of bombs) {
    await assert.rejects(unpackedSize(archive, kind, `bomb.${kind}`), {
      code: 'file_content_invalid',
      message: /unpacked it is larger than 64 MB/,
    });
  }
});

test('what repeats itself is no bomb: 64 MB come out of a small archive', async () => {
  const archive = gzipSync(Buffer.alloc(64 * megabyte));
  assert.equal(await unpackedSize(archive, 'gz', 'zeros.gz'), 64 * megabyte);
});
