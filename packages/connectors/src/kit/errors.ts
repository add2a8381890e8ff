/**
 * What a connector call can go wrong with before or after the network. The server maps these to its own
 * error table; `code` is stable. Provider bodies live in `ProviderError.body` only, never in a message.
 */

export type InputErrorCode =
  | 'missing_parameter'
  | 'invalid_parameter'
  | 'unknown_action'
  | 'unknown_trigger'
  | 'unknown_options'
  | 'missing_variable'
  | 'unsafe_url';

/** The caller's mistake: nothing was sent. `parameter` names the offending parameter, id or variable. */
export class InputError extends Error {
  override readonly name: string = 'InputError';
  readonly code: InputErrorCode;
  readonly parameter: string;

  constructor(code: InputErrorCode, parameter: string, message: string) {
    super(message);
    this.code = code;
    this.parameter = parameter;
  }
}

/** A required parameter is absent, null or blank. */
export class MissingParameter extends InputError {
  override readonly name = 'MissingParameter';

  constructor(parameter: string) {
    super('missing_parameter', parameter, `Required parameter '${parameter}' is missing`);
  }
}

/** A parameter cannot be read as its field's type. `problem` says what is expected, never the value. */
export class InvalidParameter extends InputError {
  override readonly name = 'InvalidParameter';
  readonly problem: string;

  constructor(parameter: string, problem: string) {
    super('invalid_parameter', parameter, `Parameter '${parameter}' ${problem}`);
    this.problem = problem;
  }
}

/** The provider refused: its status and body as received, for the log and the caller's `data`. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly status: number;
  readonly body: unknown;
  /** How long the provider asks us to wait (`Retry-After`, RFC 9110 §10.2.3), when it says so. */
  readonly retryAfterMs?: number;

  constructor(status: number, body: unknown, retryAfterMs?: number) {
    super(`The provider answered ${status}`);
    this.status = status;
    this.body = body;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}
