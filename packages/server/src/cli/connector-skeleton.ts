/** The files of a new connector. One action of each kind shows the way; they are replaced, not extended. */
export function skeleton(slug: string): Readonly<Record<string, string>> {
  const words = slug.split(/[-_]/);
  const name = words.map(capital).join(' ');
  const constant = words[0] + words.slice(1).map(capital).join('');
  return {
    [`${slug}.ts`]: source({ slug, name, constant }),
    'icon.svg': icon(name),
    'setup.md': setup(name),
    'recordings/getThing.ok.json': recording({ id: '1', name: 'First' }, 200),
    'recordings/getThing.not-found.json': recording({ message: 'There is no such thing' }, 404),
  };
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function source({ slug, name, constant }: { slug: string; name: string; constant: string }): string {
  return `/** ${name}: TODO what it is, and where its API is documented. */
import { action, bearer, connector, field, get, keybased, path } from '#kit/index';

const getThing = action({
  label: 'Get Thing',
  group: 'Thing',
  help: 'One thing.',
  effect: 'read',
  input: { thingId: field.text({ label: 'Thing ID' }) },
  request: (p) => get(path\`/v1/things/\${p.thingId}\`),
});

export const ${constant} = connector({
  home: import.meta.url,
  slug: '${slug}',
  name: '${name}',
  description: 'TODO: what one can do with it.',
  categories: ['other'],
  apiDocs: 'https://api.example.com/docs',
  baseUrl: 'https://api.example.com',
  auth: {
    keybased: keybased({
      fields: { apiKey: field.secret({ label: 'API key' }) },
      sign: (c) => bearer(c.apiKey),
    }),
  },
  http: { limits: { perSecond: 10 } },
  check: { request: get('/v1/me'), identifier: () => undefined },
  actions: { getThing },
});
`;
}

function icon(name: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" role="img" aria-label="${name}">
  <rect width="48" height="48" rx="11" fill="#3b4252"/>
  <text x="24" y="33" font-family="system-ui, sans-serif" font-size="26" font-weight="700" text-anchor="middle" fill="#fff">${name.charAt(0)}</text>
</svg>
`;
}

function setup(name: string): string {
  return `# Connect your product to ${name}

TODO: how the SaaS company gets its credentials, step by step; where the Callback URL goes; the mandatory scopes.
`;
}

function recording(body: object, status: number): string {
  const call = {
    request: { method: 'GET', path: '/v1/things/1' },
    response: { status, headers: {}, body },
  };
  const outcome = status < 300 ? { output: body } : { error: { status, body } };
  const content = { now: '2026-01-01T00:00:00.000Z', input: { thingId: '1' }, calls: [call], ...outcome };
  return `${JSON.stringify(content, null, 2)}\n`;
}
