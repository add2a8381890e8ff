import { z } from 'zod';
import { optionalNumber } from '#domain/optional-number';
import { done, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { fileList, flag, lifetime, lifetimeOf } from '#engine/nodes/settings';
import { readAll } from '#files/index';
import { runIsolated } from '#formats/index';

const mergeLimitBytes = 20 * 1024 * 1024;
const mostDocuments = 20;

/** Inches, portrait (ISO 216). */
const papers = {
  A0: [33.11, 46.81],
  A1: [23.39, 33.11],
  A2: [16.54, 23.39],
  A3: [11.69, 16.54],
  A4: [8.27, 11.69],
  A5: [5.83, 8.27],
  A6: [4.13, 5.83],
} as const;
type Paper = keyof typeof papers;
const paperNames = Object.keys(papers) as [Paper, ...Paper[]];

const inches = { in: 1, cm: 1 / 2.54, mm: 1 / 25.4, px: 1 / 96, pt: 1 / 72 } as const;

/** `10mm`, `1in`, `96px`; a bare number is pixels, as in CSS for print. */
const length = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((given, ctx): number | undefined => {
    const text = String(given ?? '').trim();
    if (text === '') return undefined;
    const [, number, unit = 'px'] = /^(\d{1,5}(?:\.\d{1,4})?)\s*(in|cm|mm|px|pt)?$/.exec(text) ?? [];
    if (number !== undefined) return Number(number) * inches[unit as keyof typeof inches];
    ctx.addIssue({ code: 'custom', message: 'is not a length such as "10mm", "1in" or "96px"' });
    return z.NEVER;
  });

const text = (most: number) =>
  z
    .string()
    .max(most)
    .nullish()
    .transform((given) => (given === '' || given == null ? undefined : given));

const settings = z
  .looseObject({
    operation: z.enum(['html', 'url', 'merge'], { error: 'use html, url or merge' }),
    html: text(10 * 1024 * 1024),
    url: text(4000).refine(
      (given) => given === undefined || (URL.canParse(given) && /^https?:/i.test(given)),
      {
        message: 'is not an http(s) address',
      },
    ),
    files: fileList(mostDocuments),
    script: text(100_000),
    layout: z
      .string()
      .nullish()
      .transform((given) => (given == null || given === '' ? 'portrait' : given.toLowerCase()))
      .pipe(z.enum(['portrait', 'landscape'], { error: 'use portrait or landscape' })),
    format: z
      .string()
      .nullish()
      .transform((given) => (given == null || given === '' ? 'A4' : given.toUpperCase()))
      .pipe(z.enum(paperNames, { error: 'use A0 to A6' })),
    width: length,
    height: length,
    margins: z.looseObject({ top: length, bottom: length, left: length, right: length }).nullish(),
    viewport_width: optionalNumber(1, 10_000),
    viewport_height: optionalNumber(1, 10_000),
    wait_ms: optionalNumber(0, 30_000),
    header_template: text(100_000),
    footer_template: text(100_000),
    password: text(120),
    title: text(1000),
    author: text(1000),
    subject: text(1000),
    keywords: text(1000),
    page_numbers: flag(false),
    page_number_template: text(200),
    name: text(200),
    ...lifetime,
  })
  .superRefine((given, ctx) => {
    const issue = (at: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [at], message });
    if (given.operation === 'html' && given.html === undefined)
      issue('html', 'is what is printed, and is empty');
    if (given.operation === 'url' && given.url === undefined)
      issue('url', 'is the page to print, and is empty');
    if (given.operation === 'merge' && given.files.length === 0) issue('files', 'name the PDFs to merge');
    if ((given.width === undefined) !== (given.height === undefined)) {
      issue(given.width === undefined ? 'width' : 'height', 'width and height go together');
    }
    if ((given.viewport_width === undefined) !== (given.viewport_height === undefined)) {
      const missing = given.viewport_width === undefined ? 'viewport_width' : 'viewport_height';
      issue(missing, 'viewport_width and viewport_height go together');
    }
  });

type PdfSettings = z.infer<typeof settings>;

const defaultMargin = 0.4;

/** Makes a PDF from HTML or from a page, or joins several. */
export const pdf = nodeType<PdfSettings>({
  type: 'pdf',
  label: 'PDF',
  group: 'data',
  help: 'Prints HTML or a page of the internet as PDF, and merges PDFs.',
  reference: {
    output: '`{url, expires_at}` and the facts of the file.',
    errors: 'No browser where one is needed; a page that does not load; files that are no PDF.',
    effect: 'printing a page is `once`, HTML and merging are `repeatable`.',
  },
  // A page that is printed may do by script what any visitor's browser would do for it; HTML and merging change nothing.
  effect: ({ operation }) => (operation === 'url' ? 'once' : 'repeatable'),
  fields: {
    operation: {
      type: 'select',
      label: 'From',
      required: true,
      options: [
        { name: 'HTML', value: 'html' },
        { name: 'URL', value: 'url' },
        { name: 'Merge PDFs', value: 'merge' },
      ],
    },
    html: {
      type: 'code',
      label: 'HTML',
      help: 'May use {{#each event.items}}…{{/each}} and {{#if event.note}}…{{/if}}.',
    },
    url: { type: 'text', label: 'URL' },
    files: { type: 'json', label: 'PDFs to merge', help: 'A list of file URLs.' },
    name: { type: 'text', label: 'File name' },
    format: {
      type: 'select',
      label: 'Format',
      default: 'A4',
      options: paperNames.map((value) => ({ name: value, value })),
    },
    layout: {
      type: 'select',
      label: 'Layout',
      default: 'portrait',
      options: ['portrait', 'landscape'].map((value) => ({ name: value, value })),
    },
    width: { type: 'text', label: 'Width', placeholder: '210mm', help: 'With height, in place of a format.' },
    height: { type: 'text', label: 'Height', placeholder: '297mm' },
    margins: { type: 'map', label: 'Margins', help: 'top, bottom, left and right, such as 10mm.' },
    viewport_width: { type: 'number', label: 'Viewport width' },
    viewport_height: { type: 'number', label: 'Viewport height' },
    script: { type: 'code', label: 'Script', help: 'Runs in the page before it is printed.' },
    wait_ms: { type: 'number', label: 'Wait (ms)' },
    header_template: {
      type: 'textarea',
      label: 'Header',
      help: 'HTML; elements of class pageNumber, totalPages, date, title and url are filled in.',
    },
    footer_template: { type: 'textarea', label: 'Footer' },
    page_numbers: { type: 'boolean', label: 'Page numbers', default: false },
    page_number_template: {
      type: 'text',
      label: 'Page number text',
      placeholder: '{{page}} / {{total_pages}}',
    },
    password: { type: 'text', label: 'Password' },
    title: { type: 'text', label: 'Title' },
    author: { type: 'text', label: 'Author' },
    subject: { type: 'text', label: 'Subject' },
    keywords: { type: 'text', label: 'Keywords' },
    ttl: { type: 'number', label: 'File lives (seconds)', help: 'Empty: a week.' },
    infinite_expiry: { type: 'boolean', label: 'File never expires', default: false },
  },
  settings,
  markup: ['html'],
  logged: ({ password, ...shown }) => ({
    ...shown,
    ...(password !== undefined && { password: '[REDACTED]' }),
  }),
  async run(given, ctx) {
    const documents =
      given.operation === 'merge' ? await documentsOf(given, ctx) : [await printed(given, ctx)];
    return keep(given, ctx, await edited(given, documents, ctx));
  },
});

async function printed(given: PdfSettings, ctx: NodeContext): Promise<Buffer> {
  const [width, height] = papers[given.format];
  const { margins } = given;
  return ctx.services.printPdf({
    source: given.operation === 'html' ? { html: given.html ?? '' } : { url: given.url ?? '' },
    paper: { width: given.width ?? width, height: given.height ?? height },
    isLandscape: given.layout === 'landscape',
    margins: {
      top: margins?.top ?? defaultMargin,
      bottom: margins?.bottom ?? defaultMargin,
      left: margins?.left ?? defaultMargin,
      right: margins?.right ?? defaultMargin,
    },
    viewport:
      given.viewport_width === undefined || given.viewport_height === undefined
        ? undefined
        : { width: Math.round(given.viewport_width), height: Math.round(given.viewport_height) },
    script: given.script,
    waitMs: given.wait_ms ?? 0,
    header: given.header_template,
    footer: given.footer_template,
    signal: ctx.signal,
  });
}

async function documentsOf(given: PdfSettings, ctx: NodeContext): Promise<Buffer[]> {
  const documents: Buffer[] = [];
  let left = mergeLimitBytes;
  for (const { url } of given.files) {
    const options = { linkedAccountId: ctx.linkedAccount.id, signal: ctx.signal, limitBytes: left };
    const document = await readAll((await ctx.services.openSource(ctx.tenant, url, options)).bytes);
    left -= document.length;
    documents.push(document);
  }
  return documents;
}

/** Leaves a document alone that nothing is asked of. */
async function edited(given: PdfSettings, documents: Buffer[], ctx: NodeContext): Promise<Buffer> {
  const { title, author, subject, password } = given;
  const keywords = given.keywords?.split(',').map((word) => word.trim());
  const hasMetadata = [title, author, subject, keywords].some((value) => value !== undefined);
  const hasNumbers = given.page_numbers || given.page_number_template !== undefined;
  const [only] = documents;
  if (
    documents.length === 1 &&
    only !== undefined &&
    given.operation !== 'merge' &&
    !hasMetadata &&
    !hasNumbers &&
    password === undefined
  ) {
    return only;
  }
  const edit = {
    documents,
    password,
    ...(hasNumbers && { pageNumbers: given.page_number_template ?? '{{page}} / {{total_pages}}' }),
    ...(hasMetadata && { metadata: { title, author, subject, keywords } }),
  };
  return Buffer.from(
    await runIsolated('editPdf', edit, { file: nameOf(given), format: 'PDF', signal: ctx.signal }),
  );
}

async function keep(given: PdfSettings, ctx: NodeContext, bytes: Buffer): Promise<NodeOutcome> {
  async function* content(): AsyncGenerator<Buffer> {
    yield bytes;
  }
  const file = {
    name: nameOf(given),
    contentType: 'application/pdf',
    linkedAccountId: ctx.linkedAccount.id,
    writeKey: ctx.idempotencyKey,
    ...lifetimeOf(given),
  };
  const { url, expiresAt, id, name, size } = await ctx.services.files.write(ctx.tenant, file, content());
  return done({
    url,
    expires_at: expiresAt?.toISOString() ?? null,
    file_id: id,
    file_name: name,
    file_size: size,
  });
}

function nameOf({ name }: PdfSettings): string {
  if (name === undefined) return 'document.pdf';
  return /\.pdf$/i.test(name) ? name : `${name}.pdf`;
}
