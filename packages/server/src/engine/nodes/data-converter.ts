import { z } from 'zod';
import { AppError } from '#domain/errors';
import { asText } from '#domain/template';
import { done, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { fileList, flag, lifetime, lifetimeOf } from '#engine/nodes/settings';
import { readAll, type FileSource } from '#files/index';
import {
  columnNames,
  csvText,
  parseCsv,
  parseX12,
  parseXml,
  readEscapes,
  rowObject,
  runIsolated,
  stringifyX12,
  stringifyXml,
  tableOf,
  type Sheet,
  type Table,
} from '#formats/index';

/** What is held in memory whole. CSV files are read in a stream and may be as large as a file may be. */
const wholeLimitBytes = 5 * 1024 * 1024;
const streamLimitBytes = 1024 * 1024 * 1024;

const operations = {
  csv_file_to_json_file: 'CSV file to JSON file',
  json_to_csv_file: 'JSON to CSV file',
  csv_to_json: 'CSV text to JSON',
  json_to_csv: 'Rows to CSV text',
  json_to_excel: 'JSON to Excel file',
  csv_to_excel: 'CSV to Excel file',
  excel_to_json: 'Excel file to JSON',
  merge_excel: 'Merge Excel files',
  write_file: 'Write data to a file',
  base64_to_file: 'Base64 to file',
  x12_to_json: 'X12 to JSON',
  json_to_x12: 'JSON to X12',
  cxml_to_json: 'cXML to JSON',
  json_to_cxml: 'JSON to cXML',
} as const;
type Operation = keyof typeof operations;
const operationNames = Object.keys(operations) as [Operation, ...Operation[]];

const mark = z
  .string()
  .nullish()
  .transform((text) => (text === '' || text == null ? undefined : readEscapes(text)));

const columnList = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(',').map((name) => name.trim()))], {
    error: 'is not a list of column names',
  })
  .nullish()
  .transform((names) => (names ?? []).filter((name) => name !== ''));

const settings = z
  .looseObject({
    operation: z.enum(operationNames, { error: `use one of ${operationNames.join(', ')}` }),
    file_url: z.string().trim().optional(),
    file_urls: fileList(20),
    data: z.unknown().optional(),
    name: z.string().trim().optional(),
    format: z
      .enum(['json', 'txt', 'csv', 'xlsx', ''], { error: 'use json, txt, csv or xlsx' })
      .nullish()
      .transform((format) => (format === '' ? undefined : (format ?? undefined))),
    delimiter: mark.refine((text) => text === undefined || text.length === 1, 'is one character'),
    line_ending: mark.refine(
      (text) => text === undefined || /^(\r\n|\n|\r)$/.test(text),
      'is \\n, \\r\\n or \\r',
    ),
    element_separator: mark.refine((text) => text === undefined || text.length === 1, 'is one character'),
    segment_separator: mark.refine((text) => text === undefined || text.length === 1, 'is one character'),
    has_header: flag(true),
    headers: columnList,
    formulas: flag(false),
    sheet: z.union([z.string(), z.number()]).nullish(),
    single_sheet: flag(false),
    raw_data: flag(false),
    overwrite: flag(true),
    ...lifetime,
  })
  .superRefine((given, ctx) => {
    const has = (value: unknown): boolean => value !== undefined && value !== null && value !== '';
    const missing = (field: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [field], message });
    if (given.operation === 'merge_excel' && given.file_urls.length === 0)
      missing('file_urls', 'name the files to merge');
    if (['csv_file_to_json_file', 'excel_to_json'].includes(given.operation) && !has(given.file_url)) {
      missing('file_url', 'name the file: its URL or id');
    }
    if (
      ['write_file', 'json_to_x12', 'json_to_cxml', 'base64_to_file', 'csv_to_json', 'json_to_csv'].includes(
        given.operation,
      ) &&
      !has(given.data)
    ) {
      missing('data', 'is what is converted, and is empty');
    }
    if (given.operation === 'write_file' && given.format === undefined)
      missing('format', 'use json, txt, csv or xlsx');
    const takesEither = ['json_to_csv_file', 'json_to_excel', 'csv_to_excel', 'x12_to_json', 'cxml_to_json'];
    if (takesEither.includes(given.operation) && !has(given.file_url) && !has(given.data)) {
      missing('data', 'give data, or a file in file_url');
    }
  });

type ConverterSettings = z.infer<typeof settings>;
type Convert = (given: ConverterSettings, ctx: NodeContext) => Promise<NodeOutcome>;

/** Turns data from one form into another, in text or in files. */
export const dataConverter = nodeType<ConverterSettings>({
  type: 'data_converter',
  label: 'Data Converter',
  group: 'data',
  help: 'Converts between JSON, CSV, Excel, X12 and cXML, and writes files.',
  reference: {
    output:
      'Files: `{file_url, file_id, file_name, file_size, format, created_at, expires_at}` and counts. Read data: `{parsed_data, total_rows, columns}`. CSV text: `{csv_content, row_count, column_count}`. X12 and cXML: the document as JSON, or `{content}`.',
    errors:
      'Content that is not of its format, with the place; files larger than 5 MB where they are held whole; a file of that name when `overwrite` is off.',
  },
  // A file is written under the key of the node: done again, it takes the place of itself.
  effect: 'repeatable',
  fields: {
    operation: {
      type: 'select',
      label: 'Operation',
      required: true,
      options: Object.entries(operations).map(([value, name]) => ({ name, value })),
    },
    data: { type: 'json', label: 'Data' },
    file_url: { type: 'text', label: 'File', help: 'URL or id of a file, in place of data.' },
    file_urls: { type: 'json', label: 'Files to merge' },
    name: { type: 'text', label: 'File name' },
    format: {
      type: 'select',
      label: 'Format',
      options: ['json', 'txt', 'csv', 'xlsx'].map((value) => ({ name: value, value })),
    },
    overwrite: {
      type: 'boolean',
      label: 'Overwrite',
      default: true,
      help: 'Off: a file of that name is an error.',
    },
    delimiter: { type: 'text', label: 'Delimiter', help: 'Empty: found in the text; a comma for new files.' },
    line_ending: { type: 'text', label: 'Line ending', placeholder: '\\n' },
    has_header: { type: 'boolean', label: 'First row is the header', default: true },
    headers: { type: 'json', label: 'Columns in order' },
    formulas: {
      type: 'boolean',
      label: 'Formulas',
      default: false,
      help: 'On: cells that start with = are formulas.',
    },
    sheet: { type: 'text', label: 'Sheet', help: 'Name, or number from 1. Empty: the first.' },
    single_sheet: { type: 'boolean', label: 'Merge into one sheet', default: false },
    raw_data: { type: 'boolean', label: 'Return the data itself', default: false },
    element_separator: { type: 'text', label: 'Element separator', placeholder: '*' },
    segment_separator: { type: 'text', label: 'Segment separator', placeholder: '~' },
    ttl: { type: 'number', label: 'File lives (seconds)', help: 'Empty: a week.' },
    infinite_expiry: { type: 'boolean', label: 'File never expires', default: false },
  },
  settings,
  run: (given, ctx) => converters[given.operation](given, ctx),
});

const converters: Readonly<Record<Operation, Convert>> = {
  async csv_file_to_json_file(given, ctx) {
    const source = await open(given, ctx, given.raw_data ? wholeLimitBytes : streamLimitBytes);
    const rows = csvRows(given, source);
    if (given.raw_data) return parsed(await collected(rows));
    let count = 0;
    async function* json(): AsyncGenerator<Buffer> {
      yield Buffer.from('[');
      for await (const [batch, size] of batched(rows)) {
        yield Buffer.from(`${count === 0 ? '\n' : ',\n'}${batch}`);
        count += size;
      }
      yield Buffer.from('\n]\n');
    }
    return file(given, ctx, { base: source.name, format: 'json' }, json(), () => ({ total_rows: count }));
  },
  async json_to_csv_file(given, ctx) {
    const table = tableOf(await jsonInput(given, ctx), given.headers, nameOf(given));
    const text = csvText([table.columns, ...table.rows], writing(given));
    return file(given, ctx, { base: nameOf(given), format: 'csv' }, once(text), () => shape(table));
  },
  async csv_to_json(given) {
    const bytes = inline(given);
    return parsed(await collected(csvRows(given, { name: 'data', bytes: once(bytes) })));
  },
  async json_to_csv(given) {
    const table = tableOf(jsonData(given), given.headers, 'data');
    const hasHeader = given.has_header;
    const text = csvText(hasHeader ? [table.columns, ...table.rows] : table.rows, writing(given));
    return done({ csv_content: text, ...shape(table) });
  },
  async json_to_excel(given, ctx) {
    const table = tableOf(await jsonInput(given, ctx), given.headers, nameOf(given));
    return excel(given, ctx, [sheetOf(table)]);
  },
  async csv_to_excel(given, ctx) {
    const hasFile = given.file_url !== undefined && given.file_url !== '';
    const source = hasFile
      ? await open(given, ctx, wholeLimitBytes)
      : { name: 'data', bytes: once(inline(given)) };
    const rows: string[][] = [];
    for await (const row of parseCsv(source.bytes, dialect(given), source.name)) rows.push(row);
    return excel(given, ctx, [{ name: 'Sheet1', rows }]);
  },
  async excel_to_json(given, ctx) {
    const source = await open(given, ctx, wholeLimitBytes);
    const sheets = await readSheets(source, ctx);
    const at = asText(given.sheet).trim();
    const sheet = at === '' ? sheets[0] : (sheets.find(({ name }) => name === at) ?? sheets[Number(at) - 1]);
    if (sheet === undefined) {
      const names = sheets.map(({ name }) => `"${name}"`).join(', ');
      throw new AppError('file_content_invalid', {
        name: source.name,
        format: 'Excel',
        reason: `it has no sheet "${at}", only ${names}`,
      });
    }
    const columns = columnNames(given.has_header ? (sheet.rows[0] ?? []) : []);
    const objects = (given.has_header ? sheet.rows.slice(1) : sheet.rows).map((row) =>
      rowObject(columns, row),
    );
    return parsed(
      objects,
      sheets.map(({ name }) => name),
    );
  },
  async merge_excel(given, ctx) {
    const sheets: Sheet[] = [];
    for (const { url } of given.file_urls) {
      const options = {
        linkedAccountId: ctx.linkedAccount.id,
        signal: ctx.signal,
        limitBytes: wholeLimitBytes,
      };
      sheets.push(...(await readSheets(await ctx.services.openSource(ctx.tenant, url, options), ctx)));
    }
    return excel(given, ctx, given.single_sheet ? [joined(sheets)] : sheets);
  },
  async write_file(given, ctx) {
    const { format = 'txt' } = given;
    if (format === 'xlsx')
      return excel(given, ctx, [sheetOf(tableOf(jsonData(given), given.headers, nameOf(given)))]);
    return file(given, ctx, { base: nameOf(given), format }, once(textFor(format, given)), () => ({}));
  },
  async base64_to_file(given, ctx) {
    const text = inline(given)
      .replace(/^data:[\w.+/-]*(;[\w=.+-]+)*;base64,/, '')
      .replaceAll(/\s/g, '');
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.length % 4 === 1) {
      throw new AppError('file_content_invalid', {
        name: nameOf(given),
        format: 'base64',
        reason: 'it holds characters that base64 does not have, or is cut off',
      });
    }
    const format = /\.([A-Za-z0-9]{1,10})$/.exec(nameOf(given))?.[1]?.toLowerCase() ?? 'bin';
    return file(given, ctx, { base: nameOf(given), format }, once(Buffer.from(text, 'base64')), () => ({}));
  },
  async x12_to_json(given, ctx) {
    return done(parseX12(await textInput(given, ctx), separators(given), nameOf(given)));
  },
  async json_to_x12(given, ctx) {
    const text = stringifyX12(jsonData(given), separators(given), nameOf(given));
    if (given.raw_data || (given.name ?? '') === '') return done({ content: text });
    return file(given, ctx, { base: nameOf(given), format: 'edi' }, once(text), () => ({}));
  },
  async cxml_to_json(given, ctx) {
    return done(parseXml(await textInput(given, ctx), nameOf(given)));
  },
  async json_to_cxml(given, ctx) {
    const text = stringifyXml(jsonData(given), nameOf(given));
    if (given.raw_data || (given.name ?? '') === '') return done({ content: text });
    return file(given, ctx, { base: nameOf(given), format: 'xml' }, once(text), () => ({}));
  },
};

const contentTypes: Readonly<Record<string, string>> = {
  json: 'application/json',
  csv: 'text/csv',
  txt: 'text/plain',
  xml: 'application/xml',
  edi: 'application/edi-x12',
  pdf: 'application/pdf',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};

/** Writes the result to the file store; `more` is read once everything has been written. */
async function file(
  given: ConverterSettings,
  ctx: NodeContext,
  { base, format }: { base: string; format: string },
  content: AsyncIterable<Buffer>,
  more: () => object,
): Promise<NodeOutcome> {
  const written = await ctx.services.files.write(
    ctx.tenant,
    {
      name: named(given.name ?? '', base, format),
      contentType: contentTypes[format] ?? 'application/octet-stream',
      linkedAccountId: ctx.linkedAccount.id,
      writeKey: ctx.idempotencyKey,
      ...(given.operation === 'write_file' && { sameName: given.overwrite ? 'replace' : 'refuse' }),
      ...lifetimeOf(given),
    },
    content,
  );
  return done({
    file_url: written.url,
    file_id: written.id,
    file_name: written.name,
    file_size: written.size,
    format,
    created_at: written.createdAt.toISOString(),
    expires_at: written.expiresAt?.toISOString() ?? null,
    ...more(),
  });
}

async function excel(given: ConverterSettings, ctx: NodeContext, sheets: Sheet[]): Promise<NodeOutcome> {
  const where = { file: nameOf(given), format: 'Excel', signal: ctx.signal };
  const bytes = await runIsolated('writeWorkbook', { sheets, hasFormulas: given.formulas }, where);
  const total = sheets.reduce((sum, { rows }) => sum + rows.length, 0);
  return file(given, ctx, { base: nameOf(given), format: 'xlsx' }, once(Buffer.from(bytes)), () => ({
    row_count: total,
    sheet_count: sheets.length,
  }));
}

async function readSheets(source: Pick<FileSource, 'name' | 'bytes'>, ctx: NodeContext): Promise<Sheet[]> {
  const bytes = await readAll(source.bytes);
  return runIsolated('readWorkbook', { bytes }, { file: source.name, format: 'Excel', signal: ctx.signal });
}

async function open(given: ConverterSettings, ctx: NodeContext, limitBytes: number): Promise<FileSource> {
  const options = { linkedAccountId: ctx.linkedAccount.id, signal: ctx.signal, limitBytes };
  return ctx.services.openSource(ctx.tenant, given.file_url ?? '', options);
}

async function* csvRows(
  given: ConverterSettings,
  source: Pick<FileSource, 'name' | 'bytes'>,
): AsyncGenerator<Record<string, unknown>> {
  let columns: string[] | undefined = given.headers.length > 0 ? columnNames(given.headers) : undefined;
  let isFirst = true;
  for await (const row of parseCsv(source.bytes, dialect(given), source.name)) {
    if (isFirst && given.has_header) columns ??= columnNames(row);
    else yield rowObject((columns ??= []), row);
    isFirst = false;
  }
}

/** Rows as JSON text, many at a time: a write a row would be slow. */
async function* batched(rows: AsyncIterable<unknown>): AsyncGenerator<[string, number]> {
  let held: string[] = [];
  for await (const row of rows) {
    held.push(JSON.stringify(row));
    if (held.length < 500) continue;
    yield [held.join(',\n'), held.length];
    held = [];
  }
  if (held.length > 0) yield [held.join(',\n'), held.length];
}

async function collected<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

function parsed(rows: readonly Record<string, unknown>[], sheets?: readonly string[]): NodeOutcome {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return done({
    parsed_data: rows,
    total_rows: rows.length,
    columns,
    ...(sheets !== undefined && { sheets }),
  });
}

async function* once(content: string | Buffer): AsyncGenerator<Buffer> {
  yield Buffer.from(content);
}

/** The text of `data`, of a size that may stand in memory. */
function inline(given: ConverterSettings): string {
  const text = asText(given.data);
  if (Buffer.byteLength(text) > wholeLimitBytes) {
    throw new AppError('file_too_large_here', { name: 'data', limitBytes: wholeLimitBytes });
  }
  return text;
}

function jsonOf(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read';
    throw new AppError('file_content_invalid', { name, format: 'JSON', reason }, { cause: error });
  }
}

function jsonData(given: ConverterSettings): unknown {
  const text = inline(given);
  return typeof given.data === 'string' ? jsonOf(text, 'data') : given.data;
}

async function jsonInput(given: ConverterSettings, ctx: NodeContext): Promise<unknown> {
  if (given.file_url === undefined || given.file_url === '') return jsonData(given);
  const source = await open(given, ctx, wholeLimitBytes);
  return jsonOf((await readAll(source.bytes)).toString('utf8').replace(/^\uFEFF/, ''), source.name);
}

async function textInput(given: ConverterSettings, ctx: NodeContext): Promise<string> {
  if (given.file_url === undefined || given.file_url === '') return inline(given);
  return (await readAll((await open(given, ctx, wholeLimitBytes)).bytes)).toString('utf8');
}

function textFor(format: 'json' | 'txt' | 'csv', given: ConverterSettings): string {
  const text = inline(given);
  if (format === 'txt') return text;
  if (format === 'json') return typeof given.data === 'string' ? text : JSON.stringify(given.data, null, 2);
  if (typeof given.data === 'string' && !/^\s*[[{]/.test(text)) return text;
  const table = tableOf(jsonData(given), given.headers, nameOf(given));
  return csvText([table.columns, ...table.rows], writing(given));
}

function joined(sheets: readonly Sheet[]): Sheet {
  const tables = sheets.filter(({ rows }) => rows.length > 0);
  const header = columnNames([...new Set(tables.flatMap(({ rows }) => columnNames(rows[0] ?? [])))]);
  const rows = tables.flatMap((sheet) => {
    const columns = columnNames(sheet.rows[0] ?? []);
    return sheet.rows.slice(1).map((row) => header.map((name) => row[columns.indexOf(name)] ?? null));
  });
  return { name: 'Merged', rows: [header, ...rows] };
}

function sheetOf({ columns, rows }: Table): Sheet {
  return { name: 'Sheet1', rows: [columns, ...rows] };
}

function shape({ columns, rows }: Table): { row_count: number; column_count: number } {
  return { row_count: rows.length, column_count: columns.length };
}

function dialect(given: ConverterSettings): {
  delimiter: string | undefined;
  lineEnding: string | undefined;
} {
  return { delimiter: given.delimiter, lineEnding: given.line_ending };
}

function writing(given: ConverterSettings): { delimiter: string; lineEnding: string; hasFormulas: boolean } {
  return {
    delimiter: given.delimiter ?? ',',
    lineEnding: given.line_ending ?? '\n',
    hasFormulas: given.formulas,
  };
}

function separators(given: ConverterSettings): {
  element?: string | undefined;
  segment?: string | undefined;
} {
  return { element: given.element_separator, segment: given.segment_separator };
}

function nameOf(given: ConverterSettings): string {
  return given.name === undefined || given.name === '' ? 'data' : given.name;
}

/** The name as given, with the ending of its format; without one, the name of what it was made from. */
function named(given: string, base: string, format: string): string {
  if (given !== '') return /\.[A-Za-z0-9]{1,10}$/.test(given) ? given : `${given}.${format}`;
  return `${base.replace(/\.[A-Za-z0-9]{1,10}$/, '')}.${format}`;
}
