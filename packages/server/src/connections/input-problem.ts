import { type Connector, InputError } from '@inlay/connectors/kit';
import { AppError } from '#domain/errors';
import { PagesTooLarge } from '#domain/paging';

/** What the kit, or the reading of pages, complains about as an error of ours; anything else as it is. */
export function inputProblem(error: unknown, connector: Connector): unknown {
  if (error instanceof PagesTooLarge)
    return new AppError('wrong_state', { reason: error.message }, { cause: error });
  if (!(error instanceof InputError)) return error;
  const cause = { cause: error };
  switch (error.code) {
    case 'missing_parameter':
      return new AppError('action_parameter_missing', { parameter: error.parameter }, cause);
    case 'unknown_action':
      return new AppError('action_not_found', { action: error.parameter, slug: connector.slug }, cause);
    case 'missing_variable':
      return new AppError(
        'wrong_state',
        { reason: `${connector.name} needs "${error.parameter}". Enter it on the app's Settings page.` },
        cause,
      );
    default:
      return new AppError(
        'invalid_request',
        { problems: [{ path: error.parameter, message: error.message }] },
        cause,
      );
  }
}
