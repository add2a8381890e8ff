import readXlsxFile from 'read-excel-file/node';
import writeXlsxFile from 'write-excel-file/node';
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import type { Sheet } from '#formats/isolated';

/**
 * The work on spreadsheets itself. It runs in a thread of its own (formats/isolated): it takes memory and time, and
 * reads what strangers wrote.
 */

const mostInflated = 100 * 1024 * 1024;
const mostEntries = 2_000;

/** Reads every sheet of an .xlsx file; dates become ISO text. Formulas give the value that was stored with them. */
export async function readWorkbook(bytes: Buffer): Promise<Sheet[]> {
  await assertSmallZip(bytes);
  const sheets = await readXlsxFile(bytes);
  return sheets.map(({ sheet, data }) => ({
    name: sheet,
    rows: data.map((row) => row.map((cell) => (cell instanceof Date ? isoDate(cell) : cell))),
  }));
}

/** Writes sheets as .xlsx. With `hasFormulas` text that starts with `=` is a formula, else it is text. */
export async function writeWorkbook(sheets: readonly Sheet[], hasFormulas: boolean): Promise<Buffer> {
  const taken = new Set<string>();
  const data = sheets.map(({ name, rows }) => ({
    sheet: sheetName(name, taken),
    data: rows.map((row) => row.map((cell) => written(cell, hasFormulas))),
  }));
  return writeXlsxFile(data).toBuffer();
}

type WrittenCell =
  { value: string; type: StringConstructor | 'Formula' } | { value: number | boolean } | null;

function written(cell: unknown, hasFormulas: boolean): WrittenCell {
  if (cell === null || cell === undefined || cell === '') return null;
  if (typeof cell === 'number' && Number.isFinite(cell)) return { value: cell };
  if (typeof cell === 'boolean') return { value: cell };
  const text = typeof cell === 'string' ? cell : (JSON.stringify(cell) ?? '');
  // What XML 1.0 does not allow would make the whole file unreadable; Excel takes 32,767 characters a cell.
  const plain = text.replaceAll(/[^\P{Cc}\t\n\r]|[\uFFFE\uFFFF]/gu, '').slice(0, 32_767);
  const isFormula = hasFormulas && plain.startsWith('=') && plain.length > 1;
  return { value: plain, type: isFormula ? 'Formula' : String };
}

/** Excel's rule: at most 31 characters, none of []:*?/\, and each name once whatever its case. */
function sheetName(name: string, taken: Set<string>): string {
  const base =
    name
      .replaceAll(/[[\]:*?/\\]/g, '_')
      .replaceAll(/^'|'$/g, '')
      .slice(0, 31) || 'Sheet';
  let unique = base;
  for (let n = 2; taken.has(unique.toLowerCase()); n += 1) {
    unique = `${base.slice(0, 31 - String(n).length - 1)} ${n}`;
  }
  taken.add(unique.toLowerCase());
  return unique;
}

function isoDate(date: Date): string {
  const text = date.toISOString();
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text;
}

const fromBuffer = promisify((bytes: Buffer, done: (error: Error | null, zip?: ZipFile) => void): void =>
  yauzl.fromBuffer(bytes, { lazyEntries: true }, done),
);

/** Unpacks everything once and counts, since a size that is only declared may be a lie. */
async function assertSmallZip(bytes: Buffer): Promise<void> {
  const zip = await fromBuffer(bytes);
  if (zip === undefined) throw new Error('it is not a zip archive');
  if (zip.entryCount > mostEntries) throw new Error(`it holds more than ${mostEntries} parts`);
  let inflated = 0;
  const open = promisify(
    (entry: Entry, done: (error: Error | null, stream?: AsyncIterable<Buffer>) => void) =>
      zip.openReadStream(entry, done as never),
  );
  const over = Promise.withResolvers<void>();
  zip.on('error', over.reject);
  zip.on('end', over.resolve);
  zip.on('entry', (entry: Entry) => {
    const count = async (): Promise<void> => {
      const stream = await open(entry);
      for await (const chunk of stream ?? []) {
        inflated += chunk.length;
        if (inflated > mostInflated)
          throw new Error(`unpacked it is larger than ${mostInflated / 1024 / 1024} MB`);
      }
      zip.readEntry();
    };
    count().catch(over.reject);
  });
  zip.readEntry();
  await over.promise;
}
