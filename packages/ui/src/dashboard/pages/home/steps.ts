import type { MainPage } from '../../shell/environment.ts';

/** What is known of the environment; undefined while it is not known yet. */
export interface Progress {
  readonly enabledApps: number | undefined;
  readonly accounts: number | undefined;
  readonly connections: number | undefined;
  readonly events: number | undefined;
  readonly publishedWorkflows: number | undefined;
  readonly completedExecutions: number | undefined;
}

/** What the commands of the guide are filled with. */
export interface Filling {
  readonly origin: string;
  readonly key: string;
  /** One id throughout: a linked account that exists, or the one that the guide creates. */
  readonly accountId: string;
  readonly event: { readonly name: string; readonly sample: Readonly<Record<string, unknown>> } | undefined;
}

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly isDone: boolean;
  readonly command?: string;
  readonly links: readonly { readonly name: string; readonly to: MainPage }[];
}

const json = (value: unknown) => JSON.stringify(value).replaceAll("'", `'\\''`);

/** The way from an empty organisation to the first workflow that ran, with commands that work as they stand. */
export function quickstart(progress: Progress, { origin, key, accountId, event }: Filling): readonly Step[] {
  const some = (count: number | undefined) => (count ?? 0) > 0;
  const curl = (path: string, headers: readonly string[], body: unknown) =>
    [
      `curl --location '${origin}/api/v2/public/${path}'`,
      ...headers.map((header) => `--header '${header}'`),
      `--header 'Content-Type: application/json'`,
      `--data '${json(body)}'`,
    ].join(' \\\n');
  const byKey = `X-API-Key: ${key}`;
  return [
    {
      id: 'account',
      title: 'Create an account',
      text: 'Done: you are signed in. Each environment has its own API key; this page fills the one of this environment into every command.',
      isDone: true,
      links: [{ name: 'See your API key', to: '/$environment/your-app/setup' }],
    },
    {
      id: 'app',
      title: 'Enable and configure apps',
      text: 'Choose the apps that your users may connect. Apps with API keys need nothing else; OAuth apps need a client, yours or the one of this installation.',
      isDone: some(progress.enabledApps),
      links: [{ name: 'Open the catalogue', to: '/$environment/apps' }],
    },
    {
      id: 'linked-account',
      title: 'Create a linked account',
      text: 'A linked account stands for one of your customers and holds their connections. Your server creates it, with the id that you already use.',
      isDone: some(progress.accounts),
      command: curl('linked-account', [byKey], {
        linked_account_id: accountId,
        name: 'Test account',
      }),
      links: [{ name: 'Or add one here', to: '/$environment/linked-accounts' }],
    },
    {
      id: 'session',
      title: 'Generate a session token',
      text: 'A session token lets a browser act for this one account and nothing else. Your server asks for it; this command keeps it in the terminal for the next step.',
      // Tokens are not stored, so what can be seen is what one was used for.
      isDone: some(progress.connections),
      command: `TOKEN=$(${curl('session-token', [byKey], { linked_account_id: accountId })} \\\n  | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')\necho "$TOKEN"`,
      links: [],
    },
    {
      id: 'connect',
      title: 'Send your customer to the hosted page',
      text: 'With the token, ask for the hosted page, open the hosted_url of the answer and connect an app as your customer would. You can also make the link on the page of the linked account.',
      isDone: some(progress.connections),
      command: curl('connect-url', [], { color: '#17595c', name: 'Jon Snow' }).replace(
        `--header 'Content-Type`,
        `--header "Authorization: Bearer $TOKEN" \\\n--header 'Content-Type`,
      ),
      links: [{ name: 'Linked accounts', to: '/$environment/linked-accounts' }],
    },
    {
      id: 'event',
      title: 'Send your first event',
      text: 'Describe an event, make a workflow that starts with it, publish it, and switch it on for the account on the hosted page. Then send the event: each step of the execution shows what went in and came out.',
      isDone: some(progress.completedExecutions),
      command: curl('event', [byKey, `linked_account_id: ${accountId}`], {
        event: event?.name ?? 'New Contact Created',
        payload: event?.sample ?? { name: 'Ada Lovelace', email: 'ada@example.com' },
      }),
      links: [
        { name: some(progress.events) ? 'Your events' : '1. New event', to: '/$environment/your-app/events' },
        {
          name: some(progress.publishedWorkflows) ? 'Your workflows' : '2. New workflow',
          to: some(progress.publishedWorkflows) ? '/$environment/workflows' : '/$environment/workflows/new',
        },
        { name: 'See the executions', to: '/$environment/logs/executions' },
      ],
    },
  ];
}
