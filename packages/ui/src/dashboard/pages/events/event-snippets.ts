import type { OrgEvent } from '../../api/events.ts';

interface EventCall {
  readonly origin: string;
  readonly key: string;
  readonly account: string;
  readonly event: Pick<OrgEvent, 'name' | 'sample'>;
}

/** The request that sends an event, in the languages that servers speak. */
export function eventSnippets({ origin, key, account, event }: EventCall) {
  const body = { event: event.name, payload: event.sample };
  return [
    {
      name: 'cURL',
      code: [
        `curl '${origin}/api/v2/public/event' \\`,
        `  --header 'x-api-key: ${key}' \\`,
        `  --header ${quoted(`linked_account_id: ${account}`)} \\`,
        `  --header 'content-type: application/json' \\`,
        `  --data ${quoted(JSON.stringify(body, null, 2))}`,
      ].join('\n'),
    },
    {
      name: 'JavaScript',
      code: [
        `await fetch('${origin}/api/v2/public/event', {`,
        `  method: 'POST',`,
        `  headers: {`,
        `    'x-api-key': '${key}',`,
        `    linked_account_id: ${JSON.stringify(account)},`,
        `    'content-type': 'application/json',`,
        `  },`,
        `  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),`,
        `});`,
      ].join('\n'),
    },
  ];
}

/** A word for a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
