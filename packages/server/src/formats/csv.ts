import { parse } from 'csv-parse';
import { stringify as stringifySync } from 'csv-stringify/sync';
import { Readable } from 'node:stream';
import { AppError } from '#domain/errors';
import { isForbiddenName, isRecord } from '#domain/exact-json';
import { asText } from '#domain/template';

export interface CsvDialect {
  /** undefined: found in the text. */
  readonly delimiter: string | undefined;
  /** undefined: whatever the text has. */
  readonly lineEnding: string | undefined;
}

const delimiters = [',', ';', '\t', '|'];
const sampleBytes = 64 * 1024;
const longestRecord = 4 * 1024 * 1024;

/** `\t`, `\n` and `\r` as they are written in a form. */
export function readEscapes(text: string): string {
  return text.replaceAll(
    /\\([tnr\\])/g,
    (_, letter: string) => ({ t: '\t', n: '\n', r: '\r' })[letter] ?? '\\',
  );
}

/**
 * The delimiter that cuts the first lines into the most equal number of fields; a comma when none cuts them.
 * Text in quotes does not count.
 */
export function detectDelimiter(sample: string): string {
  const lines = sample
    .replaceAll(/"[^"]*"/g, '')
    .split(/\r\n|\n|\r/)
    .filter((line) => line !== '')
    .slice(0, 10);
  let best = { delimiter: ',', score: 0 };
  for (const delimiter of delimiters) {
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const [first = 0] = counts;
    const score = first === 0 ? 0 : first * counts.filter((count) => count === first).length;
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/**
 * Reads CSV (RFC 4180, and what programs make of it) a row at a time; a byte order mark is dropped.
 *
 * @throws AppError `file_content_invalid` naming the line
 */
export async function* parseCsv(
  bytes: AsyncIterable<Buffer>,
  dialect: CsvDialect,
  name: string,
): AsyncGenerator<string[]> {
  const reader = bytes[Symbol.asyncIterator]();
  const held: Buffer[] = [];
  let size = 0;
  let isOver = false;
  while (size < sampleBytes && !isOver) {
    const next = await reader.next();
    if (next.done === true) isOver = true;
    else size += held[held.push(next.value) - 1]?.length ?? 0;
  }
  async function* everything(): AsyncGenerator<Buffer> {
    try {
      yield* held.splice(0);
      for (
        let next = isOver ? undefined : await reader.next();
        next?.done === false;
        next = await reader.next()
      ) {
        yield next.value;
      }
    } finally {
      await reader.return?.();
    }
  }
  const sample = Buffer.concat(held).subarray(0, sampleBytes).toString('utf8');
  const parser = parse({
    bom: true,
    delimiter: dialect.delimiter ?? detectDelimiter(sample.replace(/^\uFEFF/, '')),
    ...(dialect.lineEnding !== undefined && { record_delimiter: dialect.lineEnding }),
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRecord,
  });
  const source = Readable.from(everything(), { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const row of parser) yield row as string[];
  } catch (error) {
    if (error instanceof AppError) throw error;
    const { lines } = error as { lines?: number };
    const line = lines === undefined ? '' : ` in line ${lines}`;
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read';
    throw new AppError(
      'file_content_invalid',
      { name, format: 'CSV', reason: `${reason}${line}` },
      { cause: error },
    );
  } finally {
    source.destroy();
  }
}

/** Column names from a header: each once, none empty, none that reaches prototypes. */
export function columnNames(header: readonly unknown[]): string[] {
  const taken = new Set<string>();
  return header.map((cell, index) => {
    const written = asText(cell).trim();
    const base = written === '' ? `column_${index + 1}` : isForbiddenName(written) ? `_${written}` : written;
    let name = base;
    for (let n = 2; taken.has(name); n += 1) name = `${base}_${n}`;
    taken.add(name);
    return name;
  });
}

/** A row as an object; cells beyond the header are `column_<n>`, missing ones are null. */
export function rowObject(columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  const width = Math.max(columns.length, row.length);
  return Object.fromEntries(
    Array.from({ length: width }, (_, index) => [
      columns[index] ?? `column_${index + 1}`,
      row[index] ?? null,
    ]),
  );
}

/** Rows made ready for a table: the columns, and the cells of each row. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Reads JSON rows: objects (columns in the order in which they first occur, or as `order` says), or arrays of cells,
 * of which the first is the header unless `order` gives one.
 *
 * @throws AppError `file_content_invalid` naming the row that is neither
 */
export function tableOf(data: unknown, order: readonly string[], name: string): Table {
  const list = Array.isArray(data) ? data : [data];
  const fault = (index: number): AppError =>
    new AppError('file_content_invalid', {
      name,
      format: 'table',
      reason: `row ${index + 1} is neither an object nor a list of cells, as the first row is`,
    });
  if (Array.isArray(list[0])) {
    const rows = list.map((row: unknown, index) => {
      if (!Array.isArray(row)) throw fault(index);
      return row as unknown[];
    });
    return order.length > 0
      ? { columns: order, rows }
      : { columns: (rows[0] ?? []).map(asText), rows: rows.slice(1) };
  }
  const columns = new Set(order);
  for (const [index, row] of list.entries()) {
    if (!isRecord(row)) throw fault(index);
    if (order.length === 0) for (const key of Object.keys(row)) columns.add(key);
  }
  const keys = [...columns];
  const rows = list.map((row) =>
    keys.map((key) => (Object.hasOwn(row, key) ? (row as Record<string, unknown>)[key] : null)),
  );
  return { columns: keys, rows };
}

/** What a spreadsheet program would run when it opens the file (OWASP, CSV injection). */
const startsFormula = /^[=@\t\r]|^[+-](?![\d\s().,-]*$)/;

/**
 * Rows as CSV text. Text that a spreadsheet program would take for a formula gets an apostrophe before it, unless
 * formulas are wanted.
 */
export function csvText(
  rows: readonly (readonly unknown[])[],
  { delimiter, lineEnding, hasFormulas }: { delimiter: string; lineEnding: string; hasFormulas: boolean },
): string {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const text = asText(cell);
      return !hasFormulas && typeof cell === 'string' && startsFormula.test(text) ? `'${text}` : text;
    }),
  );
  return stringifySync(cells, { delimiter, record_delimiter: lineEnding });
}
