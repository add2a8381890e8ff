import { z } from 'zod';
import { readCallInput, type Message, type ModelProtocol } from '#agents/model';

const answer = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.string().nullish(),
          refusal: z.string().nullish(),
          tool_calls: z
            .array(
              z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.unknown() }) }),
            )
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ total_tokens: z.number().nullish() }).nullish(),
});

/** Chat completions with tools, as OpenAI defined them and many others speak them. */
export const openAi: ModelProtocol = {
  defaultBaseUrl: 'https://api.openai.com/v1',
  key: (key) => ({ authorization: `Bearer ${key}` }),
  request: ({ model, system, messages, tools, maxTokens, schema }) => ({
    path: '/chat/completions',
    headers: {},
    body: {
      model,
      max_completion_tokens: maxTokens,
      messages: [...(system === '' ? [] : [{ role: 'system', content: system }]), ...messages.map(wire)],
      ...(tools.length > 0 && {
        tools: tools.map((tool) => ({ type: 'function', function: tool })),
      }),
      ...(schema !== undefined && {
        response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
      }),
    },
  }),
  read(body) {
    const { choices, usage } = answer.parse(body);
    const { content, refusal, tool_calls: calls } = choices[0]!.message;
    return {
      text: content ?? refusal ?? '',
      calls: (calls ?? []).map(({ id, function: { name, arguments: text } }) => ({
        id,
        name,
        ...readCallInput(text),
      })),
      tokens: usage?.total_tokens ?? 0,
    };
  },
};

function wire(message: Message): object {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.text };
    case 'assistant':
      return {
        role: 'assistant',
        content: message.text === '' ? null : message.text,
        ...(message.calls.length > 0 && {
          tool_calls: message.calls.map(({ id, name, input }) => ({
            id,
            type: 'function',
            function: { name, arguments: JSON.stringify(input) },
          })),
        }),
      };
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.text };
  }
  return message satisfies never;
}
