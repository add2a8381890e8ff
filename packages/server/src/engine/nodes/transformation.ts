import { z } from 'zod';
import { AppError } from '#domain/errors';
import { isForbiddenName, isRecord, parseExactJson } from '#domain/exact-json';
import { secretsIn } from '#domain/masking/index';
import { asText } from '#domain/template';
import { done, failed, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { placeIn } from '#engine/nodes/sub-flow';
import { readAll } from '#files/index';
import { columnNames, parseCsv, parseX12, parseXml, readEscapes, rowObject } from '#formats/index';

/** What is read whole; larger CSV files go through the Data Converter first. */
const wholeLimitBytes = 5 * 1024 * 1024;
const mostRows = 10_000;
const timeoutMs = 30_000;

const formats: Readonly<Record<string, 'csv' | 'xml' | 'edi' | 'json'>> = {
  csv: 'csv',
  xml: 'xml',
  cxml: 'xml',
  edi: 'edi',
  x12: 'edi',
  json: 'json',
};

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

const settings = z
  .looseObject({
    source_format: z.string({ error: 'use csv, xml, edi or json' }).transform((written, ctx) => {
      const format = written.trim().toLowerCase();
      if (Object.hasOwn(formats, format)) return formats[format]!;
      ctx.addIssue({ code: 'custom', message: 'use csv, xml, edi or json' });
      return z.NEVER;
    }),
    source: z.unknown().optional(),
    file_url: z.string().trim().nullish(),
    rows_path: z.string().trim().max(500).nullish(),
    delimiter: z
      .string()
      .nullish()
      .transform((text) => (isGiven(text) ? readEscapes(text ?? '') : undefined))
      .refine((text) => text === undefined || text.length === 1, 'is one character'),
    transformation: z.unknown().transform((given, ctx) => {
      const read = typeof given === 'string' ? (asObject(given) ?? given) : given;
      const expression = isGiven(read) ? expressionOf(read, 0) : undefined;
      if (typeof expression === 'string' && expression.trim() !== '') return expression;
      ctx.addIssue({
        code: 'custom',
        message: 'write an object of JSONata expressions by field, or one expression',
      });
      return z.NEVER;
    }),
    workflow: z.string().trim().nullish(),
  })
  .superRefine(({ source, file_url }, ctx) => {
    if (isGiven(source) || isGiven(file_url)) return;
    ctx.addIssue({ code: 'custom', path: ['source'], message: 'give the data, or a file in file_url' });
  });

type Settings = z.output<typeof settings>;

/** Reads rows of any of the usual formats, gives each another form, and starts a workflow for each if asked to. */
export const transformation = nodeType<Settings>({
  type: 'transformation',
  label: 'Transformation',
  group: 'data',
  help: 'Reads CSV, XML, X12 or JSON, gives every row the form of one object, and may start a workflow for each.',
  reference: {
    output:
      '`{rows, total_rows}`: the rows in their new form, in order (a document without rows is one row); with a workflow also `execution_ids`.',
    errors:
      'A source that is not of its format, with the place; a path to rows that leads nowhere; an expression that fails; more than 10,000 rows, 5 MB or 30 s. A row that does not fit the schema of the workflow is named, before any workflow is started for a later one; those started before run on, and another attempt does not start them again.',
    effect:
      '`repeatable` with a workflow: each row starts one execution, however often the node is tried. Else `read` with a file and `none` without.',
  },
  effect: ({ workflow, file_url }) =>
    isGiven(workflow) ? 'repeatable' : isGiven(file_url) ? 'read' : 'none',
  fields: {
    source_format: {
      type: 'select',
      label: 'Format',
      required: true,
      options: [
        { name: 'CSV', value: 'csv' },
        { name: 'XML', value: 'xml' },
        { name: 'EDI (X12)', value: 'edi' },
        { name: 'JSON', value: 'json' },
      ],
    },
    source: { type: 'json', label: 'Source', help: 'The data: text, or JSON.' },
    file_url: { type: 'text', label: 'File', help: 'URL or id of a file, in place of the source.' },
    rows_path: {
      type: 'text',
      label: 'Path to the rows',
      placeholder: 'order.lines',
      help: 'Of XML, X12 and JSON. Empty: the document itself, or its rows when it is a list.',
    },
    delimiter: { type: 'text', label: 'Delimiter', help: 'Of CSV. Empty: found in the text.' },
    transformation: {
      type: 'code',
      label: 'Transformation',
      required: true,
      help: 'An object: each field has a JSONata expression that reads the row, such as {"sku": "Item.Number", "total": "Price * Quantity"}. Or one expression.',
    },
    workflow: {
      type: 'text',
      label: 'Workflow for each row',
      help: 'Id or alias of a published workflow with the API call trigger; it gets the new row.',
    },
  },
  settings,
  literal: ['transformation'],
  async run(given, ctx) {
    const rows = await rowsOf(given, ctx);
    if (rows.length > mostRows) {
      return failed({
        message: `The source has ${rows.length} rows; at most ${mostRows} are transformed at once. Split it first.`,
        retry: 'never',
      });
    }
    // An object around each result keeps lists inside lists, and rows without a result in their places.
    const results = await ctx.services.runJsonata({
      expression: `[rows.{"row": (${given.transformation})}]`,
      input: { rows },
      tenant: ctx.tenant,
      timeoutMs,
      signal: ctx.signal,
    });
    const changed = (results as readonly { row?: unknown }[]).map(({ row }) => row ?? null);
    if (!isGiven(given.workflow)) return done({ rows: changed, total_rows: changed.length });
    return startForEach(given.workflow ?? '', changed, ctx);
  },
});

/** Starts one execution a row. A row that has one already, from an attempt before, keeps it. */
async function startForEach(
  workflow: string,
  rows: readonly unknown[],
  ctx: NodeContext,
): Promise<NodeOutcome> {
  const executionIds: string[] = [];
  for (const [index, payload] of rows.entries()) {
    ctx.signal.throwIfAborted();
    const at = `${ctx.nodeId}:${index}`;
    const started = await ctx.services.subFlows.start({
      tenant: ctx.tenant,
      parent: {
        executionId: ctx.executionId,
        nodeId: ctx.nodeId,
        batch: placeIn(ctx.batch, at),
        firstBatch: placeIn(ctx.firstBatch, at),
        isAwaited: false,
      },
      workflow,
      payload,
      secrets: secretsIn(ctx.mask(payload)),
      mode: 'async',
      linkedAccount: ctx.linkedAccount,
      configId: ctx.configId,
      appSlug: ctx.appSlug,
    });
    if ('refusal' in started) {
      return failed({ message: `Row ${index + 1}: ${started.refusal}`, retry: 'never' });
    }
    executionIds.push(started.executionId);
  }
  return done({ rows, total_rows: rows.length, execution_ids: executionIds });
}

async function rowsOf(given: Settings, ctx: NodeContext): Promise<readonly unknown[]> {
  const { name, text, value } = await contentOf(given, ctx);
  switch (given.source_format) {
    case 'csv':
      // Rows that came as JSON are rows already.
      return Array.isArray(value) ? value : csvRows(text, given.delimiter, name);
    case 'xml':
      return rowsIn(isRecord(value) ? value : parseXml(text, name), given);
    case 'edi':
      return rowsIn(isRecord(value) ? value : parseX12(text, {}, name), given);
    case 'json':
      return rowsIn(typeof value === 'string' ? jsonOf(text, name) : value, given);
  }
  return given.source_format satisfies never;
}

async function contentOf(
  given: Settings,
  ctx: NodeContext,
): Promise<{ name: string; text: string; value: unknown }> {
  if (!isGiven(given.file_url)) {
    const text = asText(given.source);
    if (Buffer.byteLength(text) > wholeLimitBytes) {
      throw new AppError('file_too_large_here', { name: 'source', limitBytes: wholeLimitBytes });
    }
    return { name: 'source', text, value: given.source };
  }
  const file = await ctx.services.openSource(ctx.tenant, given.file_url ?? '', {
    linkedAccountId: ctx.linkedAccount.id,
    signal: ctx.signal,
    limitBytes: wholeLimitBytes,
  });
  const text = (await readAll(file.bytes)).toString('utf8').replace(/^\uFEFF/, '');
  return { name: file.name, text, value: text };
}

async function csvRows(
  text: string,
  delimiter: string | undefined,
  name: string,
): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let columns: string[] | undefined;
  for await (const row of parseCsv(once(text), { delimiter, lineEnding: undefined }, name)) {
    if (columns === undefined) columns = columnNames(row);
    else rows.push(rowObject(columns, row));
  }
  return rows;
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

function jsonOf(text: string, name: string): unknown {
  try {
    return parseExactJson(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it does not parse';
    throw new AppError('file_content_invalid', { name, format: 'JSON', reason }, { cause: error });
  }
}

/** The list at the path; what stands there alone is a list of one, as XML has it. */
function rowsIn(document: unknown, { rows_path: path }: Settings): readonly unknown[] {
  const found = isGiven(path)
    ? (path ?? '').split('.').reduce<unknown>((value, step) => {
        if (Array.isArray(value) && /^\d+$/.test(step)) return value[Number(step)];
        return isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
      }, document)
    : document;
  if (found === undefined || found === null) {
    throw new AppError('invalid_request', {
      problems: [{ path: 'rows_path', message: `nothing stands at "${path ?? ''}" of the source` }],
    });
  }
  return Array.isArray(found) ? found : [found];
}

/** `{"sku": "Item.Number", "fixed": 1}` as one expression; texts are expressions, everything else is itself. */
function expressionOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? 'null' : value;
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value);
  if (depth > 50) return undefined;
  if (Array.isArray(value)) {
    const items = value.map((item) => expressionOf(item, depth + 1));
    return items.includes(undefined) ? undefined : `[${items.map((item) => `(${item})`).join(', ')}]`;
  }
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value).map(([name, item]) => [name, expressionOf(item, depth + 1)] as const);
  if (entries.some(([name, item]) => item === undefined || isForbiddenName(name))) return undefined;
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}: (${item})`).join(', ')}}`;
}

/** A form sends the object as text. JSONata objects look like JSON, and are not. */
function asObject(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const value = parseExactJson(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
