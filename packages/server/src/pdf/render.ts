import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '#domain/errors';
import type { Outbound } from '#outbound/index';
import { startBrowser, type Browser } from '#pdf/browser';

/** A document to print; lengths in inches. */
export interface PrintJob {
  readonly source: { readonly html: string } | { readonly url: string };
  readonly paper: { readonly width: number; readonly height: number };
  readonly isLandscape: boolean;
  readonly margins: {
    readonly top: number;
    readonly bottom: number;
    readonly left: number;
    readonly right: number;
  };
  readonly viewport?: { readonly width: number; readonly height: number } | undefined;
  /** Runs in the page before it is printed, inside the browser's own walls. */
  readonly script?: string | undefined;
  readonly waitMs: number;
  readonly header?: string | undefined;
  readonly footer?: string | undefined;
  readonly signal: AbortSignal;
}

/** Prints HTML or a page of the internet. @throws AppError `pdf_unavailable`, `pdf_failed` */
export type PrintPdf = (job: PrintJob) => Promise<Buffer>;

const timeoutMs = 60_000;
const largestPdf = 50 * 1024 * 1024;
const mostRequests = 500;
const largestResource = 10 * 1024 * 1024;
const mostBrowsers = 2;

/**
 * Printing by a Chromium that the operator provides. The browser has no network: each request of the page comes to us,
 * goes out through the egress guard, and its answer is handed in. Two documents are printed at a time; a browser is
 * used once and killed.
 *
 * @param chromium - path of the executable; undefined: every call throws `pdf_unavailable`
 */
export function createPrintPdf(deps: {
  readonly outbound: Pick<Outbound, 'send'>;
  readonly config: { readonly chromium: string | undefined };
}): PrintPdf {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function print(job: PrintJob, executable: string): Promise<Buffer> {
    const browser = await startBrowser(executable);
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new AppError('pdf_failed', { reason: `it takes longer than ${timeoutMs / 1000} s` })),
      timeoutMs,
    );
    const signal = AbortSignal.any([job.signal, late.signal]);
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    if (signal.aborted) aborted.reject(signal.reason);
    try {
      return await Promise.race([printIn(browser, job, deps.outbound, signal), aborted.promise]);
    } catch (error) {
      if (error instanceof AppError || job.signal.aborted) throw error;
      const reason = error instanceof Error ? error.message.slice(0, 300) : 'the browser failed';
      throw new AppError('pdf_failed', { reason }, { cause: error });
    } finally {
      clearTimeout(timer);
      await browser.close();
    }
  }

  return async (job) => {
    const { chromium } = deps.config;
    if (chromium === undefined) throw new AppError('pdf_unavailable', undefined);
    job.signal.throwIfAborted();
    if (running >= mostBrowsers) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1; // one that waited takes the place of the one that ended
    try {
      return await print(job, chromium);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

async function printIn(
  browser: Browser,
  job: PrintJob,
  outbound: Pick<Outbound, 'send'>,
  signal: AbortSignal,
): Promise<Buffer> {
  const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true });
  const page = (method: string, params?: object): Promise<Record<string, unknown>> =>
    browser.send(method, params, sessionId as string);
  const loaded = Promise.withResolvers<void>();
  let document: AppError | undefined;
  let requests = 0;
  browser.onEvent((method, params, session) => {
    if (session !== sessionId) return;
    if (method === 'Page.loadEventFired') loaded.resolve();
    if (method !== 'Fetch.requestPaused') return;
    requests += 1;
    const paused = params as unknown as PausedRequest;
    answer(paused, requests).catch(() => undefined); // the browser has gone
  });

  async function answer(paused: PausedRequest, number: number): Promise<void> {
    const { requestId, request, resourceType } = paused;
    if (number === 1 && 'html' in job.source) {
      await page('Fetch.fulfillRequest', {
        requestId,
        responseCode: 200,
        responseHeaders: [{ name: 'content-type', value: 'text/html; charset=utf-8' }],
        body: Buffer.from(job.source.html).toString('base64'),
      });
      return;
    }
    const isPlain = /^https?:/.test(request.url) && (request.method === 'GET' || request.method === 'POST');
    if (!isPlain || number > mostRequests) {
      await page('Fetch.failRequest', { requestId, errorReason: 'AccessDenied' });
      return;
    }
    try {
      const { status, headers, body } = await outbound.send({
        method: request.method,
        url: request.url,
        headers: plainHeaders(request.headers),
        ...(request.postData !== undefined && { body: request.postData }),
        maxResponseBytes: largestResource,
        maxAttempts: 1,
        signal,
      });
      const kept = Object.entries(headers).filter(
        ([name]) => !/^(content-encoding|content-length|transfer-encoding|connection|set-cookie)$/.test(name),
      );
      await page('Fetch.fulfillRequest', {
        requestId,
        responseCode: status,
        responseHeaders: kept.map(([name, value]) => ({ name, value })),
        body: body.toString('base64'),
      });
      if (number === 1 && status >= 400) {
        document = new AppError('pdf_failed', {
          reason: `"${new URL(request.url).host}" answered with status ${status}`,
        });
      }
    } catch (error) {
      if (number === 1 && resourceType === 'Document' && error instanceof AppError) document = error;
      await page('Fetch.failRequest', { requestId, errorReason: 'AccessDenied' });
      if (number === 1) loaded.resolve();
    }
  }

  await page('Page.enable');
  await page('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
  if (job.viewport !== undefined) {
    await page('Emulation.setDeviceMetricsOverride', {
      ...job.viewport,
      deviceScaleFactor: 1,
      mobile: false,
    });
  }
  // HTML of the author's is at an address that belongs to nobody (RFC 2606), so it is no origin of anybody's.
  const url = 'html' in job.source ? 'http://document.invalid/' : job.source.url;
  const { errorText } = await page('Page.navigate', { url });
  if (document === undefined && typeof errorText === 'string' && errorText !== '') {
    throw new AppError('pdf_failed', { reason: `the page did not load (${errorText})` });
  }
  await loaded.promise;
  if (document !== undefined) throw document;
  if (job.script !== undefined) await runScript(page, job.script);
  if (job.waitMs > 0) await sleep(job.waitMs, undefined, { signal });
  const { stream } = await page('Page.printToPDF', {
    landscape: job.isLandscape,
    printBackground: true,
    paperWidth: job.paper.width,
    paperHeight: job.paper.height,
    marginTop: job.margins.top,
    marginBottom: job.margins.bottom,
    marginLeft: job.margins.left,
    marginRight: job.margins.right,
    displayHeaderFooter: job.header !== undefined || job.footer !== undefined,
    headerTemplate: job.header ?? '<span></span>',
    footerTemplate: job.footer ?? '<span></span>',
    transferMode: 'ReturnAsStream',
  });
  return readStream(page, stream);
}

type Page = (method: string, params?: object) => Promise<Record<string, unknown>>;

async function runScript(page: Page, script: string): Promise<void> {
  const { exceptionDetails } = await page('Runtime.evaluate', {
    expression: `(async () => {\n${script}\n})()`,
    awaitPromise: true,
  });
  const { exception, text } = (exceptionDetails ?? {}) as {
    exception?: { description?: string };
    text?: string;
  };
  if (exceptionDetails !== undefined) {
    throw new AppError('pdf_failed', {
      reason: `the script threw: ${(exception?.description ?? text ?? '').slice(0, 300)}`,
    });
  }
}

async function readStream(page: Page, handle: unknown): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (let isOver = false; !isOver;) {
    const { data, base64Encoded, eof } = await page('IO.read', { handle, size: 1024 * 1024 });
    const chunk = Buffer.from(String(data), base64Encoded === true ? 'base64' : 'utf8');
    size += chunk.length;
    if (size > largestPdf)
      throw new AppError('pdf_failed', { reason: `it is larger than ${largestPdf} bytes` });
    chunks.push(chunk);
    isOver = eof === true;
  }
  return Buffer.concat(chunks, size);
}

interface PausedRequest {
  readonly requestId: string;
  readonly resourceType: string;
  readonly request: {
    readonly url: string;
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly postData?: string;
  };
}

function plainHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = /^(accept|accept-language|content-type|user-agent|referer|origin)$/i;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.test(name)));
}
