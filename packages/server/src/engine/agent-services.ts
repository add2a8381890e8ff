import {
  askModel,
  mcpTools,
  openTranscript,
  recall,
  remember,
  type AgentTool,
  type McpServer,
} from '#agents/index';
import { describeAction, type ConnectionDeps } from '#connections/index';
import type { Tenant } from '#domain/tenant';
import type { Outbound } from '#outbound/index';

type Tail<T extends (...args: never[]) => unknown> = T extends (first: never, ...rest: infer R) => infer V
  ? (...rest: R) => V
  : never;

/** What the agent node needs of the product; `agents/` says what each does. */
export interface AgentServices {
  readonly ask: Tail<typeof askModel>;
  readonly openTranscript: Tail<typeof openTranscript>;
  readonly recall: Tail<typeof recall>;
  readonly remember: (
    tenant: Tenant,
    of: Parameters<typeof remember>[2],
    said: Parameters<typeof remember>[3],
  ) => Promise<void>;
  readonly mcpTools: (
    server: McpServer,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ) => Promise<{ tools: AgentTool[]; close: () => Promise<void> }>;
  readonly describeAction: Tail<typeof describeAction>;
}

export function agentServices(deps: ConnectionDeps & { readonly outbound: Outbound }): AgentServices {
  return {
    ask: (...given) => askModel(deps, ...given),
    openTranscript: (...given) => openTranscript(deps, ...given),
    recall: (...given) => recall(deps, ...given),
    remember: (tenant, of, said) => remember(deps, tenant, of, said, deps.clock.now()),
    mcpTools: (...given) => mcpTools(deps, ...given),
    describeAction: (...given) => describeAction(deps, ...given),
  };
}
