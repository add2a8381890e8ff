import { asText, render, type CompiledTemplate, type TemplateScope } from '#domain/template';

const longestText = 500;

/**
 * What the custom fields of a workflow give at the end of a run, as texts: lists show and compare them. A field that
 * finds nothing, or cannot be filled in, is left out.
 */
export function customFieldValues(
  fields: Readonly<Record<string, CompiledTemplate>>,
  scope: TemplateScope,
): Record<string, string> | undefined {
  const values = Object.entries(fields).flatMap(([name, template]) => {
    const text = textOf(template, scope);
    return text === '' ? [] : [[name, text] as const];
  });
  return values.length === 0 ? undefined : Object.fromEntries(values);
}

function textOf(template: CompiledTemplate, scope: TemplateScope): string {
  try {
    // jsonb takes neither U+0000 nor half of a surrogate pair.
    return asText(render(template, scope) ?? '')
      .replaceAll('\u0000', '')
      .slice(0, longestText)
      .toWellFormed();
  } catch {
    return ''; // the run has ended as it has; a list is no reason to change that
  }
}
