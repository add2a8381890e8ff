import { escapeHtml } from '#domain/escape-html';
import type { FieldProblem } from '#domain/errors';
import type { Form, FormField, FormValues } from '#human-tasks/index';

/** What came back from the browser, and what is wrong with it. */
interface Refused {
  readonly given: Readonly<Record<string, string>>;
  readonly problems: readonly FieldProblem[];
}

/** The form of a task, perhaps once more with what is wrong beside its fields. All text is from outside: escaped. */
export function formPage(form: Form, dueAt: Date, refused?: Refused): string {
  const problems = new Map(refused?.problems.map(({ path, message }) => [path, message]));
  const values: FormValues | Refused['given'] = refused?.given ?? form.prefilled;
  const due = dueAt.toISOString();
  const until = `${dueAt.toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })} UTC`;
  const title = refused === undefined ? form.title : `Please correct: ${form.title}`;
  return page(
    title,
    `<h1>${escapeHtml(form.title)}</h1>
${form.description === '' ? '' : `<p class="description">${escapeHtml(form.description)}</p>`}
${problems.size === 0 ? '' : summary(form, problems)}
<form method="post" novalidate>
${form.fields.some(({ required }) => required) ? '<p class="quiet">Fields marked <span class="star">*</span> are required.</p>' : ''}
${form.fields.map((field) => fieldHtml(field, valueOf(field, form, values), problems.get(field.name))).join('\n')}
<button>Submit</button>
<p class="quiet">Open until <time datetime="${due}">${until}</time>. It can be submitted once.</p>
</form>`,
  );
}

function valueOf({ name, readOnly }: FormField, form: Form, values: FormValues | Refused['given']): string {
  return String((readOnly ? form.prefilled[name] : values[name]) ?? '');
}

/** Gets the focus when the page comes back, so that it is read first. */
function summary({ fields }: Form, problems: ReadonlyMap<string, string>): string {
  const known = fields.filter(({ name }) => problems.has(name));
  const links = known.map(
    (field) =>
      `<li><a href="#${anchorOf(field)}">${escapeHtml(field.label)}</a> ${escapeHtml(problems.get(field.name)!)}</li>`,
  );
  return `<div class="problems" role="alert" tabindex="-1" autofocus><h2>Not submitted yet</h2><ul>${links.join('')}</ul></div>`;
}

function anchorOf(field: FormField): string {
  return field.type === 'radio' ? `f-${field.name}-0` : `f-${field.name}`;
}

function fieldHtml(field: FormField, value: string, problem: string | undefined): string {
  const id = `f-${field.name}`;
  const described = [
    ...(field.help === undefined ? [] : [`${id}-help`]),
    ...(problem === undefined ? [] : [`${id}-problem`]),
  ].join(' ');
  const state =
    (described === '' ? '' : ` aria-describedby="${described}"`) +
    (problem === undefined ? '' : ' aria-invalid="true"');
  const required = field.required && !field.readOnly;
  const label = `${escapeHtml(field.label)}${required ? ' <span class="star" aria-hidden="true">*</span>' : ''}`;
  const beside =
    (field.help === undefined ? '' : `<p class="quiet" id="${id}-help">${escapeHtml(field.help)}</p>`) +
    (problem === undefined
      ? ''
      : `<p class="problem" id="${id}-problem">${escapeHtml(field.label)} ${escapeHtml(problem)}.</p>`);
  if (field.type === 'radio') {
    const options = field.options.map(({ label, value: own }, index) => {
      const marks = `${own === value ? ' checked' : ''}${field.readOnly ? ' disabled' : ''}${required ? ' required' : ''}`;
      return `<label class="choice"><input type="radio" id="${id}-${index}" name="${field.name}" value="${escapeHtml(own)}"${marks}>${escapeHtml(label)}</label>`;
    });
    const invalid = problem === undefined ? '' : ' class="invalid"';
    return `<fieldset${described === '' ? '' : ` aria-describedby="${described}"`}${invalid}><legend>${label}</legend>${beside}${options.join('')}</fieldset>`;
  }
  return `<div class="field"><label for="${id}">${label}</label>${beside}${control(field, id, value, state, required)}</div>`;
}

function control(field: FormField, id: string, value: string, state: string, required: boolean): string {
  const common = `id="${id}" name="${field.name}"${state}${required ? ' required' : ''}`;
  if (field.readOnly) {
    const shown = field.options.find((option) => option.value === value)?.label ?? value;
    const same = shown === value ? common : `id="${id}"${state}`;
    return `<input ${same} value="${escapeHtml(shown)}" readonly>`;
  }
  switch (field.type) {
    case 'dropdown': {
      const options = field.options.map(
        ({ label, value: own }) =>
          `<option value="${escapeHtml(own)}"${own === value ? ' selected' : ''}>${escapeHtml(label)}</option>`,
      );
      return `<select ${common}><option value="">Choose…</option>${options.join('')}</select>`;
    }
    case 'number':
      return `<input ${common} inputmode="decimal" value="${escapeHtml(value)}">`;
    case 'date':
      return `<input ${common} type="date" value="${escapeHtml(value)}">`;
    default:
      return `<textarea ${common} rows="${value.includes('\n') || value.length > 80 ? 5 : 1}">${escapeHtml(`\n${value}`)}</textarea>`;
  }
}

const messages = {
  SUBMITTED: {
    mark: '✓',
    title: 'Thank you, the form was submitted',
    text: 'Your answers have arrived. You can close this page.',
  },
  TIMEOUT: {
    mark: '!',
    title: 'It is too late for this form',
    text: 'The time to submit it is over. If your answer is still needed, ask whoever sent you the link for a new one.',
  },
  not_found: {
    mark: '?',
    title: 'There is no form here',
    text: 'The form may have been withdrawn, or the link is not complete. Open it from the mail once more; if that does not help, ask whoever sent it.',
  },
  busy: {
    mark: '!',
    title: 'Please wait a moment',
    text: 'There were too many requests. Wait a minute, then reload this page.',
  },
  away: {
    mark: '!',
    title: 'This did not work',
    text: 'We cannot be reached properly at the moment. Go back, wait a minute and submit again: your browser keeps what you entered, and nothing is submitted twice.',
  },
} as const;

/** A page that only says something. */
export function messagePage(kind: keyof typeof messages): string {
  const { mark, title, text } = messages[kind];
  return page(
    title,
    `<p class="mark${kind === 'SUBMITTED' ? ' good' : ''}" aria-hidden="true">${mark}</p>
<h1>${title}</h1>
<p role="status">${text}</p>`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/tasks/page.css">
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** Colours are those of `packages/ui/src/tokens`. */
export const taskStyle = `:root {
  color-scheme: light dark;
  --ground: light-dark(#f4f2ee, #131517);
  --surface: light-dark(#fdfcfa, #1b1e21);
  --sunken: light-dark(#efece6, #15181a);
  --ink: light-dark(#1c2023, #ecebe7);
  --quiet: light-dark(#575d60, #a9aeaf);
  --line: light-dark(#e0dcd4, #2e3338);
  --line-strong: light-dark(#85837c, #777d82);
  --accent: light-dark(#17595c, #7cc7c3);
  --accent-hover: light-dark(#10474a, #96d6d2);
  --accent-ink: light-dark(#ffffff, #0d2324);
  --positive: light-dark(#1b6136, #83d29c);
  --danger: light-dark(#a3262a, #f4928c);
  --danger-soft: light-dark(#fae3e0, #3d1f1f);
  --focus: light-dark(#17595c, #9bdedb);
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: clamp(16px, 5vw, 56px) 16px; background: var(--ground); color: var(--ink);
  font: 16px/1.5 ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif;
}
main {
  max-width: 560px; margin: 0 auto; padding: clamp(20px, 5vw, 40px); background: var(--surface);
  border: 1px solid var(--line); border-radius: 12px; overflow-wrap: anywhere;
}
h1 { font-size: 22px; line-height: 1.25; margin: 0 0 12px; }
h2 { font-size: 16px; margin: 0 0 4px; }
p { margin: 0 0 12px; }
main > :last-child, form > :last-child { margin-bottom: 0; }
.description { white-space: pre-line; }
.quiet { color: var(--quiet); font-size: 14px; }
.star, .problem { color: var(--danger); }
.mark {
  width: 40px; height: 40px; display: grid; place-items: center; border: 2px solid; border-radius: 50%;
  font-weight: 700; color: var(--quiet);
}
.good { color: var(--positive); }
.problems { background: var(--danger-soft); border-radius: 8px; padding: 12px 16px; margin: 0 0 20px; }
.problems ul { margin: 0; padding-left: 20px; }
.problems a { color: inherit; }
.field, fieldset { margin: 0 0 20px; padding: 0; border: 0; min-width: 0; }
.field > label, legend { display: block; padding: 0; margin: 0 0 4px; font-weight: 600; }
.field p, fieldset p { margin: 0 0 6px; }
input:not([type='radio']), select, textarea {
  width: 100%; min-height: 44px; padding: 9px 12px; font: inherit; color: inherit; background: var(--surface);
  border: 1px solid var(--line-strong); border-radius: 8px;
}
textarea { display: block; resize: vertical; field-sizing: content; max-height: 60vh; }
main [readonly] { background: var(--sunken); border-color: var(--line); color: var(--quiet); }
main [aria-invalid] { border-color: var(--danger); box-shadow: inset 0 0 0 1px var(--danger); }
.invalid { padding-left: 12px; border-left: 3px solid var(--danger); }
.choice { display: flex; gap: 10px; align-items: center; min-height: 44px; }
.choice input { width: 20px; height: 20px; margin: 0; flex: none; accent-color: var(--accent); }
button {
  width: 100%; min-height: 48px; margin: 4px 0 12px; padding: 10px 24px; font: inherit; font-weight: 600;
  color: var(--accent-ink); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer;
}
button:hover { background: var(--accent-hover); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
@media (min-width: 480px) { button { width: auto; } }
`;
