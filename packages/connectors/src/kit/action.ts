/** Actions: what a workflow, an agent or an API call can ask an App to do. */
import type { Fields, Input, NoFields } from '#kit/field';
import type { Pages } from '#kit/paging';
import type { ApiRequest, ApiResponse, Effect } from '#kit/request';

/** What `run` works with: each call is checked (a refusal throws `ProviderError`) and counted. */
export interface RunContext {
  /** Sends one request. */
  call(request: ApiRequest): Promise<ApiResponse>;
  /** Sends a request and follows its pages; the rows at `items`, at most `limit`. */
  list(
    request: ApiRequest,
    spec: {
      readonly items: string;
      readonly pages?: Pages;
      readonly limit?: number;
      /** A list that is cut at the limit is a failure: what is left out would be lost for good. */
      readonly isWhole?: boolean;
    },
  ): Promise<unknown[]>;
  /** The time the action started, so that a recording replays. */
  readonly now: Date;
}

interface ActionCommon {
  readonly label: string;
  /** Groups actions by object in the builder: Call, Meeting, User. */
  readonly group: string;
  readonly help: string;
  readonly scopes: readonly string[];
  /** Header that carries our key to the provider; makes an action `repeatable` that would be `once`. */
  readonly idempotencyHeader?: string;
}

/** An action, erased: the input type mattered only while it was written. */
export interface Action extends ActionCommon {
  readonly kind: 'action';
  readonly effect: Effect | ((input: never) => Effect);
  readonly input: Fields;
  readonly request?: (input: never, context: { readonly now: Date }) => ApiRequest;
  readonly items?: string;
  readonly pages?: Pages;
  readonly output?: (body: never, input: never) => unknown;
  readonly run?: (input: never, http: RunContext) => Promise<unknown>;
}

type Requested<F extends Fields> = {
  readonly request: (input: Input<F>, context: { readonly now: Date }) => ApiRequest;
  readonly run?: never;
} & (
  | {
      /** Dotted path to the rows: the action's data is then the list, and `emptyList` applies. */
      readonly items: string;
      readonly pages?: Pages;
      readonly output?: never;
    }
  | {
      readonly items?: never;
      readonly pages?: never;
      /** Picks the data from the answer's body; the default is the whole body. */
      readonly output?: (body: never, input: Input<F>) => unknown;
    }
);

type Ran<F extends Fields> = {
  /** For what one request cannot say. Its result is the action's data. */
  readonly run: (input: Input<F>, http: RunContext) => Promise<unknown>;
  readonly request?: never;
  readonly items?: never;
  readonly pages?: never;
  readonly output?: never;
};

/**
 * Declares an action. `effect` has no default: whether sending twice is harmless is the one thing nobody but
 * the author knows, and the engine's retries hang on it.
 */
export function action<const F extends Fields = NoFields>(
  spec: Omit<ActionCommon, 'scopes'> & {
    readonly scopes?: readonly string[];
    readonly effect: Effect | ((input: Input<F>) => Effect);
    readonly input?: F;
  } & (Requested<F> | Ran<F>),
): Action {
  const input: Fields = spec.input ?? {};
  return Object.freeze({ ...spec, kind: 'action', scopes: spec.scopes ?? [], input } as Action);
}
