import { z } from 'zod';

const times = z.int().min(1).default(1);
const latencyMs = z.int().min(0).max(60_000).default(0);
const status = z.int().min(400).max(599);

/** A disturbance of the provider, as tests order it. Every one ends after `times` requests. */
export const faultOrder = z.strictObject({
  tokenEndpoint: z
    .strictObject({
      times,
      latencyMs,
      /** Answer with this status and change nothing. */
      status: status.optional(),
      /** Refuse live refresh tokens as if they had been revoked. */
      error: z.literal('invalid_grant').optional(),
      clientId: z.string().optional(),
      userId: z.string().optional(),
      /** Do the work, then cut the connection: the caller cannot know the outcome. */
      dropResponse: z.boolean().default(false),
    })
    .optional(),
  api: z
    .strictObject({
      times,
      latencyMs,
      status: status.optional(),
      retryAfter: z.int().min(0).optional(),
      method: z.enum(['GET', 'POST', 'PATCH', 'DELETE']).optional(),
      /** Only requests whose path starts so, for example `/api/v1/contacts`. */
      path: z.string().optional(),
      dropResponse: z.boolean().default(false),
    })
    .optional(),
});

export type FaultOrder = z.input<typeof faultOrder>;
type TokenFault = NonNullable<z.output<typeof faultOrder>['tokenEndpoint']>;
type ApiFault = NonNullable<z.output<typeof faultOrder>['api']>;

/** The faults that are set now. */
export interface Faults {
  set(order: FaultOrder): void;
  clear(): void;
  /** Uses up one request of the fault on the token endpoint, if it is about the endpoint itself. */
  takeToken(): TokenFault | undefined;
  /** Uses up one refusal of a refresh token that belongs to this client and user. */
  takeRefusal(token: { clientId: string; accountId: string }): boolean;
  takeApi(request: { method: string; path: string }): ApiFault | undefined;
}

export function createFaults(): Faults {
  let token: TokenFault | undefined;
  let api: ApiFault | undefined;

  function useToken(): TokenFault | undefined {
    const fault = token;
    if (fault !== undefined) token = fault.times > 1 ? { ...fault, times: fault.times - 1 } : undefined;
    return fault;
  }

  return {
    set(order) {
      const parsed = faultOrder.parse(order);
      token = parsed.tokenEndpoint ?? token;
      api = parsed.api ?? api;
    },
    clear() {
      token = undefined;
      api = undefined;
    },
    takeToken: () => (token?.error === undefined ? useToken() : undefined),
    takeRefusal({ clientId, accountId }) {
      if (token?.error === undefined) return false;
      if (token.clientId !== undefined && token.clientId !== clientId) return false;
      if (token.userId !== undefined && token.userId !== accountId) return false;
      return useToken() !== undefined;
    },
    takeApi({ method, path }) {
      if (api === undefined) return undefined;
      if (api.method !== undefined && api.method !== method) return undefined;
      if (api.path !== undefined && !path.startsWith(api.path)) return undefined;
      const fault = api;
      api = fault.times > 1 ? { ...fault, times: fault.times - 1 } : undefined;
      return fault;
    },
  };
}
