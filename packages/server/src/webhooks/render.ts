import { asText, compileTemplate, pathsIn, render, type CompiledTemplate } from '#domain/template';
import { payloadFields } from '#webhooks/payload';

/** What templates of custom webhooks may read. */
export interface CustomValues {
  /** The payload. */
  readonly event: unknown;
  /** What the execution answered, as its log shows it. */
  readonly workflow_response: unknown;
  readonly linked_account_name: string | null;
}

const roots: ReadonlySet<string> = new Set(['event', 'workflow_response', 'linked_account_name']);

/**
 * What is wrong with a template of a body or header; undefined: nothing.
 *
 * @throws AppError `template_invalid`, `forbidden_key`
 */
export function templateFault(text: string, isJson: boolean): string | undefined {
  const compiled = compileTemplate(text);
  for (const path of pathsIn(compiled)) {
    if (!roots.has(path.root)) {
      return `"{{${path.root}}}" is not known here; there are {{event}}, {{workflow_response}} and {{linked_account_name}}`;
    }
    const [field] = path.segments;
    if (path.root === 'event' && field !== undefined && !payloadFields.has(field)) {
      return `"{{event.${field}}}" is not known; events have ${[...payloadFields].join(', ')}`;
    }
  }
  return isJson && !isJsonTemplate(compiled)
    ? 'is not JSON; put templates in quotes, or alone as a value'
    : undefined;
}

function isJsonTemplate(compiled: CompiledTemplate): boolean {
  if (compiled.kind === 'text') return false;
  if (compiled.kind !== 'literal' || typeof compiled.value !== 'string') return true;
  try {
    JSON.parse(compiled.value);
    return true;
  } catch {
    return false;
  }
}

/** The body of a custom webhook: JSON that no value can break open. */
export function customBody(template: string, values: CustomValues): string {
  const compiled = compileTemplate(template);
  if (compiled.kind === 'literal') return JSON.stringify(JSON.parse(template));
  return JSON.stringify(render(compiled, scopeOf(values)));
}

/** A header of a custom webhook; line breaks of values become spaces. */
export function customHeader(template: string, values: CustomValues): string {
  return asText(render(compileTemplate(template), scopeOf(values))).replaceAll(/[\r\n\0]+/g, ' ');
}

/** Whether any of the templates needs the answer of the execution. */
export function readsResponse(templates: readonly string[]): boolean {
  return templates.some((text) =>
    pathsIn(compileTemplate(text)).some(({ root }) => root === 'workflow_response'),
  );
}

function scopeOf(values: CustomValues) {
  return { values: { ...values }, node: () => undefined };
}

/** Slack reads `&`, `<` and `>` as markup. https://docs.slack.dev/messaging/formatting-message-text */
export function slackBody(summary: string): string {
  const text = summary.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return JSON.stringify({ text });
}
