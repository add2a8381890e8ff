import type { AppAction } from '../../api/apps.ts';
import type { WorkflowDocument } from '../../api/workflows.ts';

interface Starter {
  readonly event: string;
  readonly app: string;
  readonly action: AppAction;
  /** By parameter: a text, perhaps with templates such as `{{event.email}}`; empty is left out. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The simplest useful workflow: when this event comes, do that in the app. */
export function starterDocument({ event, app, action, parameters }: Starter): WorkflowDocument {
  const given = Object.entries(parameters).filter(([, value]) => value.trim() !== '');
  return {
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'event', event } } },
      {
        id: '2',
        node_type: 'app_action',
        name: action.label,
        data: { app, action: action.id, parameters: Object.fromEntries(given) },
      },
    ],
    edges: [{ source: '1', target: '2' }],
    settings: {},
  };
}

const deepest = 4;

/** The fields of an event's sample as templates, nested ones with dots. */
export function eventTemplates(sample: unknown, path = 'event', depth = 0): string[] {
  if (typeof sample !== 'object' || sample === null || Array.isArray(sample) || depth >= deepest) {
    return depth === 0 ? [] : [`{{${path}}}`];
  }
  return Object.entries(sample).flatMap(([name, value]) =>
    /^[\w-]+$/.test(name) ? eventTemplates(value, `${path}.${name}`, depth + 1) : [],
  );
}

/** A first guess: parameters that are called like a field of the event get that field. */
export function guessParameters(action: AppAction, templates: readonly string[]): Record<string, string> {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const guesses = action.input.flatMap(({ name }) => {
    const match = templates.find(
      (template) => plain(template.slice(2, -2).split('.').at(-1) ?? '') === plain(name),
    );
    return match === undefined ? [] : [[name, match] as const];
  });
  return Object.fromEntries(guesses);
}
