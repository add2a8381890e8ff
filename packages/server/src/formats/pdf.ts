import { PDFDocument, StandardFonts } from '@cantoo/pdf-lib';

/** What can be done to finished PDFs. It runs in a thread of its own (formats/isolated). */
export interface PdfEdit {
  /** In the order in which they follow one another. */
  readonly documents: readonly Uint8Array[];
  /** Asked of whoever opens the result. */
  readonly password?: string | undefined;
  /** Text at the foot of every page, with `{{page}}` and `{{total_pages}}`. */
  readonly pageNumbers?: string | undefined;
  readonly metadata?:
    | {
        readonly title?: string | undefined;
        readonly author?: string | undefined;
        readonly subject?: string | undefined;
        readonly keywords?: readonly string[] | undefined;
      }
    | undefined;
}

const mostPages = 5_000;

/** Joins documents into one, numbers its pages, and locks it. */
export async function editPdf({ documents, password, pageNumbers, metadata }: PdfEdit): Promise<Buffer> {
  const [first] = documents;
  const target =
    documents.length === 1 && first !== undefined
      ? await PDFDocument.load(first)
      : await PDFDocument.create();
  if (documents.length > 1) {
    for (const [index, bytes] of documents.entries()) {
      const source = await PDFDocument.load(bytes).catch((error: unknown) => {
        throw new Error(
          `document ${index + 1}: ${error instanceof Error ? error.message : 'it cannot be read'}`,
        );
      });
      for (const page of await target.copyPages(source, source.getPageIndices())) target.addPage(page);
      if (target.getPageCount() > mostPages) throw new Error(`it has more than ${mostPages} pages`);
    }
  }
  if (pageNumbers !== undefined) await numberPages(target, pageNumbers);
  if (metadata?.title !== undefined) target.setTitle(metadata.title);
  if (metadata?.author !== undefined) target.setAuthor(metadata.author);
  if (metadata?.subject !== undefined) target.setSubject(metadata.subject);
  if (metadata?.keywords !== undefined) target.setKeywords([...metadata.keywords]);
  if (password !== undefined) {
    target.encrypt({ userPassword: password, ownerPassword: password, permissions: {} });
  }
  return Buffer.from(await target.save());
}

const size = 9;

async function numberPages(target: PDFDocument, template: string): Promise<void> {
  const font = await target.embedFont(StandardFonts.Helvetica);
  const pages = target.getPages();
  for (const [index, page] of pages.entries()) {
    const text = template
      .replaceAll(/\{\{\s*page\s*\}\}/g, String(index + 1))
      .replaceAll(/\{\{\s*total_pages\s*\}\}/g, String(pages.length))
      // The standard fonts know Windows-1252 only.
      .replaceAll(/[^\x20-\x7e\u00a0-\u00ff]/g, '?');
    const { width } = page.getSize();
    page.drawText(text, { x: (width - font.widthOfTextAtSize(text, size)) / 2, y: 18, size, font });
  }
}
