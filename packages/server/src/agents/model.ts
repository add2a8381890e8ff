/** What an agent says to a model and hears from it, whoever makes the model. */

export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input: an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The model's text was not JSON: the tool is not called with it. */
  readonly isUnreadable?: boolean;
}

export type Message =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly text: string; readonly isError: boolean };

export interface ModelRequest {
  readonly model: string;
  readonly system: string;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[];
  readonly maxTokens: number;
  /** The answer is to be JSON of this schema. */
  readonly schema?: Readonly<Record<string, unknown>> | undefined;
}

export interface ModelReply {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Tokens in and out, as the provider counts them. */
  readonly tokens: number;
}

/** A request as it goes out, without the key. */
export interface ModelHttpRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** How one kind of provider writes its requests and answers. Both are pure: no network to test them. */
export interface ModelProtocol {
  readonly defaultBaseUrl: string;
  /** Headers that carry the key; they are bound to the provider's host. */
  key(key: string): Readonly<Record<string, string>>;
  request(request: ModelRequest): ModelHttpRequest;
  /** @throws Error when the body is not an answer of this protocol */
  read(body: unknown): ModelReply;
}

/** The input of a call; a model now and then writes text that is no JSON object. */
export function readCallInput(given: unknown): Pick<ToolCall, 'input' | 'isUnreadable'> {
  try {
    const value: unknown = typeof given === 'string' ? JSON.parse(given === '' ? '{}' : given) : given;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { input: value as Readonly<Record<string, unknown>> };
    }
  } catch {
    // told to the model as its own mistake
  }
  return { input: {}, isUnreadable: true };
}
