import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runAgent, openTranscript, type AgentTool } from '#agents/index';
import type { ModelReply, ModelRequest } from '#agents/model';
import { anthropic } from '#agents/anthropic';
import { openAi } from '#agents/openai';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import { testVault } from '#vault/testing';

let database: TestDatabase;
const tenant = { orgId: newId(), environment: 'test' } as const;
const vault = testVault();

before(async () => {
  database = await createTestDatabase();
  await database.db.insertInto('organization').values({ id: tenant.orgId, name: 'O', slug: 'o' }).execute();
});
after(() => database.drop());

const say = (text: string, tokens = 1): ModelReply => ({ text, calls: [], tokens });
const use = (name: string, input: Record<string, unknown> = {}): ModelReply => ({
  text: '',
  calls: [{ id: `call_${name}`, name, input }],
  tokens: 1,
});

function toolOf(name: string, effect: 'read' | 'repeatable' | 'once', call: AgentTool['call']): AgentTool {
  const parameters = { type: 'object', properties: { n: { type: 'number' } }, additionalProperties: false };
  return { name, description: name, parameters, effectOf: () => effect, call };
}

async function run(
  replies: (ModelReply | Error)[],
  options: {
    key?: string;
    tools?: AgentTool[];
    schema?: Record<string, unknown>;
    maxSteps?: number;
    maxTokens?: number;
  } = {},
) {
  const asked: ModelRequest[] = [];
  const transcript = await openTranscript({ db: database.db, vault }, tenant, options.key ?? newId());
  const result = await runAgent(
    {
      transcript,
      log: () => undefined,
      throwIfOver: () => undefined,
      ask(request) {
        asked.push({ ...request, messages: [...request.messages] });
        const reply = replies.shift() ?? new Error('asked too often');
        return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
      },
    },
    {
      model: 'm',
      system: 's',
      prompt: 'do it',
      memory: [],
      tools: options.tools ?? [],
      schema: options.schema,
      maxSteps: options.maxSteps ?? 5,
      maxTokens: options.maxTokens ?? 100,
      maxAnswerTokens: 10,
    },
  );
  return { ...result, asked };
}

test('a run that is taken over asks nothing again, and calls no finished tool again', async () => {
  const key = newId();
  const keys: string[] = [];
  const tools = [
    toolOf('send', 'once', (_input, callKey) => {
      keys.push(callKey);
      return Promise.resolve({ text: 'sent', isError: false });
    }),
  ];
  await assert.rejects(run([use('send'), new Error('the worker died')], { key, tools }), /worker died/);
  const { output, asked } = await run([say('done')], { key, tools });
  assert.deepEqual([output, keys, asked.length], ['done', [`${key}:1`], 1]);
  assert.deepEqual(asked[0]?.messages.at(-1), {
    role: 'tool',
    callId: 'call_send',
    text: 'sent',
    isError: false,
  });
});

for (const [effect, calls] of [
  ['once', 1],
  ['repeatable', 2],
  ['read', 2],
] as const) {
  test(`a "${effect}" tool whose outcome is unknown is called ${calls === 1 ? 'never again' : 'again with the same key'}`, async () => {
    const key = newId();
    const keys: string[] = [];
    const tools = [
      toolOf('act', effect, (_input, callKey) => {
        keys.push(callKey);
        return keys.length === 1
          ? Promise.reject(new Error('the worker died'))
          : Promise.resolve({ text: 'ok', isError: false });
      }),
    ];
    await assert.rejects(run([use('act')], { key, tools }), /worker died/);
    const { asked } = await run([say('done')], { key, tools });
    assert.equal(keys.length, calls);
    assert.equal(new Set(keys).size, 1);
    const told = asked[0]?.messages.at(-1);
    assert.match(JSON.stringify(told), calls === 1 ? /may have happened or not/ : /"ok"/);
  });
}

test('two processes on one agent: the one that is behind ends', async () => {
  const key = newId();
  const first = await openTranscript({ db: database.db, vault }, tenant, key);
  const second = await openTranscript({ db: database.db, vault }, tenant, key);
  await first.next('reply', () => Promise.resolve(say('a')));
  await assert.rejects(
    second.next('reply', () => Promise.resolve(say('b'))),
    /another process goes on/,
  );
});

test('what is stored of an agent is sealed', async () => {
  const key = newId();
  await run([say('the secret answer')], { key });
  const rows = await database.db.selectFrom('agent_step').selectAll().where('run_key', '=', key).execute();
  assert.equal(rows.length, 1);
  assert.equal(rows[0]?.entry_sealed.includes('secret answer'), false);
});

test('an answer that does not fit the schema is asked for once more, then the agent fails', async () => {
  const schema = { type: 'object', required: ['n'], properties: { n: { type: 'number' } } };
  const mended = await run([say('{"n": "x"}'), say('```json\n{"n": 4}\n```')], { schema });
  assert.deepEqual(mended.output, { n: 4 });
  assert.match(JSON.stringify(mended.asked[1]?.messages.at(-1)), /\/n must be number/);
  await assert.rejects(
    run([say('no'), say('{}')], { schema }),
    /does not fit the schema: the value must have/,
  );
});

test('steps and tokens are bounded', async () => {
  const tools = [toolOf('look', 'read', () => Promise.resolve({ text: '1', isError: false }))];
  const forEver = Array.from({ length: 9 }, () => use('look'));
  await assert.rejects(
    run(forEver, { tools, maxSteps: 3 }),
    (e) => e instanceof AppError && /its 3 steps/.test(e.message),
  );
  await assert.rejects(
    run([{ ...use('look'), tokens: 100 }, say('late')], { tools, maxTokens: 100 }),
    /has used 100 tokens/,
  );
});

test('a tool that is not there, or an input that does not fit, is told to the model and calls nothing', async () => {
  let calls = 0;
  const tools = [
    toolOf('look', 'read', () => {
      calls += 1;
      return Promise.resolve({ text: '', isError: false });
    }),
  ];
  const { asked, output } = await run(
    [
      use('missing'),
      use('look', { n: 'x' }),
      { ...use('look'), calls: [{ id: 'c', name: 'look', input: {}, isUnreadable: true }] },
      say('ok'),
    ],
    { tools },
  );
  assert.deepEqual([output, calls], ['ok', 0]);
  const told = asked
    .at(-1)
    ?.messages.filter(({ role }) => role === 'tool')
    .map((m) => ('text' in m ? m.text : ''));
  assert.deepEqual(told, [
    'There is no tool "missing".',
    'The input does not fit: /n must be number.',
    'The input is not a JSON object. Call the tool again.',
  ]);
});

test('both protocols write what was said and read what comes back', () => {
  const request: ModelRequest = {
    model: 'm',
    system: 's',
    maxTokens: 5,
    tools: [{ name: 't', description: 'd', parameters: { type: 'object' } }],
    messages: [
      { role: 'user', text: 'q' },
      { role: 'assistant', text: 'hm', calls: [{ id: '1', name: 't', input: { a: 1 } }] },
      { role: 'tool', callId: '1', text: 'r', isError: true },
      { role: 'user', text: 'again' },
    ],
    schema: { type: 'object' },
  };
  const claude = anthropic.request(request).body as {
    messages: { role: string; content: { type: string }[] }[];
    system: string;
  };
  assert.deepEqual(
    claude.messages.map(({ role, content }) => [role, content.map(({ type }) => type)]),
    [
      ['user', ['text']],
      ['assistant', ['text', 'tool_use']],
      ['user', ['tool_result', 'text']],
    ],
  );
  assert.match(claude.system, /JSON Schema/);
  const gpt = openAi.request(request).body as { messages: { role: string }[]; response_format: unknown };
  assert.deepEqual(
    gpt.messages.map(({ role }) => role),
    ['system', 'user', 'assistant', 'tool', 'user'],
  );
  assert.ok(gpt.response_format);
  assert.deepEqual(
    openAi.read({
      choices: [
        {
          message: { content: null, tool_calls: [{ id: '1', function: { name: 't', arguments: '{"a":' } }] },
        },
      ],
    }),
    { text: '', calls: [{ id: '1', name: 't', input: {}, isUnreadable: true }], tokens: 0 },
  );
  assert.throws(() => openAi.read({ choices: [] }));
  assert.throws(() => anthropic.read({ error: {} }));
});
