import { nodeTypeSynonyms } from '#domain/workflow-document';
import { builtInNodes } from '#engine/nodes/index';
import type { NodeEffect, NodeType } from '#engine/nodes/node-type';
import { defaultPort } from '#engine/nodes/node-type';
import { code, settingsTable, type SettingRow } from '#engine/node-reference/settings-table';

const groups: Readonly<Record<NodeType['group'], string>> = {
  trigger: 'Start',
  app: 'Apps and HTTP',
  logic: 'Decisions',
  data: 'Data and files',
  code: 'Code and models',
  control: 'Control',
};

const effects: Readonly<Record<NodeEffect, string>> = {
  none: '`none`: it touches nothing outside of the execution.',
  read: '`read`: it asks and changes nothing, so it may be asked again at any time.',
  repeatable: '`repeatable`: it may run a second time; that changes nothing more than the first.',
  once: '`once`: it is not run again when nobody knows whether it happened.',
};

/** The text of `docs/nodes.md`: every node type, from the schemas and forms that are running. */
export function nodeReference(): string {
  const types = [...builtInNodes.values()];
  return [
    '# Nodes',
    '',
    '<!-- Generated from packages/server/src/engine/nodes by `npm run docs`; a test keeps it equal. -->',
    '',
    'Every node type with all its settings. The guides say how to work with them: [workflows](workflows.md), [waiting](waiting.md), [code](code.md), [functions](functions.md), [agents](agent.md), [files](files.md), [records](records.md), [custom actions](custom-actions.md).',
    '',
    'A setting may be a [template](variables.md), such as `{{node.2.body.id}}`, unless it is source text. Numbers and switches may come as text. Publishing refuses a setting without a template that its node could not use; one with a template is checked when the node runs. Either way the error names the field.',
    '',
    ...commonSettings,
    '## All nodes',
    '',
    '| Node | `node_type` | What it does |',
    '| --- | --- | --- |',
    ...types.map(
      ({ type, label, help }) => `| [${label}](#${anchor(label)}) | \`${type}\` | ${cell(help)} |`,
    ),
    '',
    ...types.flatMap(section),
  ].join('\n');
}

const commonSettings = [
  '## Settings of every node',
  '',
  'They stand beside `data` (or in it).',
  '',
  '| Setting | Value | Default | Meaning |',
  '| --- | --- | --- | --- |',
  '| `conditions` | list of conditions, or `{"match": "all", "conditions": [...]}` | none | The node runs only where they hold; else it is passed over (`Rejected`). In `data` it is called `node_conditions`. |',
  '| `skip_on_error` | true or false | false | A failure is recorded and the flow goes on. |',
  '| `retry_policy` | `{"strategy": "exponential", "delay": 500, "max_attempts": 3, "retry_on": [429, "5xx", "network"]}` | as shown, without `retry_on` | How often and when a failed attempt is made again: 1 to 20 attempts, `delay` in milliseconds, `fixed` or `exponential`. |',
  '| `custom_output` | `{"include": [paths], "encrypt": [paths]}` | everything, in clear | Which fields of the body go on, and which nobody is shown. |',
  '| `hide_node_request` | true or false | false | Neither the settings nor the output stand in the log. |',
  '| `http_trace` | true or false | false | The log keeps each request as a cURL command. |',
  '',
  'What a node gives is read as `{{node.<id>.body}}`, or by its name: `{{fetch_orders.body}}`. A node that failed and was skipped has the body `{message, status, error}`.',
  '',
];

function section(type: NodeType): string[] {
  const { rows, alsoRead } = settingsTable(type);
  const synonyms = Object.entries(nodeTypeSynonyms)
    .filter(([, known]) => known === type.type)
    .map(([written]) => code(written));
  const { reference } = type;
  return [
    `## ${type.label}`,
    '',
    `${code(type.type)}${synonyms.length === 0 ? '' : `, also read: ${synonyms.join(', ')}`}. ${groups[type.group]}.`,
    '',
    type.help,
    '',
    ...(rows.length === 0 ? ['It has no settings.', ''] : table(rows)),
    ...(alsoRead.length === 0
      ? []
      : [`Also read, as other builders and older documents write it: ${alsoRead.map(code).join(', ')}.`, '']),
    ...(type.literal === undefined
      ? []
      : [`Taken as written, never as a template: ${type.literal.map(code).join(', ')}.`, '']),
    `**Leaves by** ${portsText(type)}`,
    '',
    `**Effect** ${effectText(type)}`,
    '',
    ...(reference === undefined
      ? []
      : [`**Output** ${reference.output}`, '', `**Errors** ${reference.errors}`, '']),
  ];
}

function table(rows: readonly SettingRow[]): string[] {
  return [
    '| Setting | Value | Required | Default | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| ${code(row.path)} | ${cell(row.value)} | ${row.isRequired ? 'yes' : ''} | ${cell(defaultText(row.default))} | ${cell(row.meaning)} |`,
    ),
    '',
  ];
}

function defaultText(value: unknown): string {
  if (value === undefined || value === '') return '';
  return code(typeof value === 'string' ? value.trim().replaceAll(/\s*\n\s*/g, ' ') : value);
}

function portsText(type: NodeType): string {
  const ports = type.ports({}).map(code);
  const inside = (type.container ?? []).map(code).join(' and ');
  const ways =
    ports.length === 0
      ? 'nothing: the flow ends here'
      : ports.join(', ').replace(code(defaultPort), 'its edge');
  return `${ways}${inside === '' ? '' : `; ${inside} lead to the nodes inside`}${type.portsTo === undefined ? '' : `; and one for each of its cases`}.`;
}

function effectText({ effect, reference }: NodeType): string {
  if (typeof effect === 'string') return effects[effect];
  return reference?.effect ?? 'by its settings.';
}

function anchor(label: string): string {
  return label
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
