import { z } from 'zod';
import { readCallInput, type Message, type ModelProtocol } from '#agents/model';

const answer = z.object({
  content: z.array(
    z.looseObject({
      type: z.string(),
      text: z.string().optional(),
      id: z.string().optional(),
      name: z.string().optional(),
      input: z.unknown().optional(),
    }),
  ),
  usage: z.object({ input_tokens: z.number().nullish(), output_tokens: z.number().nullish() }).nullish(),
});

/** Anthropic's Messages. It has no JSON mode: the schema is asked for in the system prompt. */
export const anthropic: ModelProtocol = {
  defaultBaseUrl: 'https://api.anthropic.com/v1',
  key: (key) => ({ 'x-api-key': key }),
  request({ model, system, messages, tools, maxTokens, schema }) {
    const rules =
      schema === undefined
        ? system
        : `${system}\n\nYour final answer is JSON of this JSON Schema, and nothing else:\n${JSON.stringify(schema)}`;
    return {
      path: '/messages',
      headers: { 'anthropic-version': '2023-06-01' },
      body: {
        model,
        max_tokens: maxTokens,
        ...(rules.trim() !== '' && { system: rules.trim() }),
        messages: joined(messages),
        ...(tools.length > 0 && {
          tools: tools.map(({ name, description, parameters }) => ({
            name,
            description,
            input_schema: parameters,
          })),
        }),
      },
    };
  },
  read(body) {
    const { content, usage } = answer.parse(body);
    return {
      text: content
        .flatMap(({ type, text }) => (type === 'text' && text !== undefined ? [text] : []))
        .join('\n'),
      calls: content.flatMap(({ type, id, name, input }) =>
        type === 'tool_use' && id !== undefined && name !== undefined
          ? [{ id, name, ...readCallInput(input) }]
          : [],
      ),
      tokens: (usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0),
    };
  },
};

interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: object[];
}

/** Results of tools are blocks of the user's next turn, all those of one answer together. */
function joined(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const turn = turnOf(message);
    const last = turns.at(-1);
    if (last?.role === turn.role) last.content.push(...turn.content);
    else turns.push(turn);
  }
  return turns;
}

function turnOf(message: Message): Turn {
  if (message.role === 'user') return { role: 'user', content: [{ type: 'text', text: message.text }] };
  if (message.role === 'tool') {
    const { callId, text, isError } = message;
    return {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: callId, content: text, is_error: isError }],
    };
  }
  return {
    role: 'assistant',
    content: [
      ...(message.text === '' ? [] : [{ type: 'text', text: message.text }]),
      ...message.calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
    ],
  };
}
