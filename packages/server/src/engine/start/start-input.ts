import type { ExecutionSource } from '#db/schema';

/** What starting an execution needs, by whatever door it came. */
export interface StartInput {
  readonly workflowId: string;
  /** The published version; absent, with a document, it is a test run of that draft. */
  readonly version?: number;
  readonly document?: unknown;
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly configId: string;
  readonly slug?: string | undefined;
  readonly source: ExecutionSource;
  readonly triggerEvent?: string | undefined;
  readonly payload: unknown;
  /** The caller's headers, when the workflow is to see them. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  /** All of the caller's headers, names in lower case, for the workflow's `dedup_key`; they are not stored. */
  readonly requestHeaders?: Readonly<Record<string, unknown>> | undefined;
  readonly instanceTag?: string | undefined;
  readonly rerunOf?: string | undefined;
  /** Secrets in the payload that whoever starts it knows of. */
  readonly secrets?: readonly unknown[];
}
