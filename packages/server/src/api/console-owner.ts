import { APIError } from 'better-auth/api';
import type { ConsoleAuth } from '#api/console-auth';
import type { ApiDeps } from '#api/deps';
import { deleteConsoleUser, insertMember } from '#db/console';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import { createOrganization, type NewOrganization } from '#organizations/index';

/**
 * Creates a user with an organisation of its own. If the organisation cannot be made, the user is taken back.
 *
 * @returns the organisation with its keys, and the headers that sign the browser in
 * @throws sign_up_refused when the email is taken or the password is refused
 */
export async function createConsoleOwner(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'vault'>,
  auth: ConsoleAuth,
  owner: { email: string; password: string; name: string; organization: string },
  requestHeaders: Headers = new Headers(),
): Promise<{ organization: NewOrganization; headers: Headers }> {
  const { response, headers } = await auth.api
    .signUpEmail({
      body: { email: owner.email, password: owner.password, name: owner.name },
      headers: requestHeaders,
      returnHeaders: true,
    })
    .catch((cause: unknown) => {
      if (!(cause instanceof APIError) || cause.statusCode >= 500) throw cause;
      throw new AppError('sign_up_refused', { reason: cause.message.replace(/\.$/, '') }, { cause });
    });
  try {
    const organization = await deps.db.transaction().execute(async (db) => {
      const created = await createOrganization(
        { ...deps, db },
        { name: owner.organization, email: owner.email },
      );
      await insertMember(db, {
        id: newId(),
        orgId: created.orgId,
        userId: response.user.id,
        role: 'owner',
        createdAt: deps.clock.now(),
      });
      return created;
    });
    return { organization, headers };
  } catch (error) {
    await deleteConsoleUser(deps.db, response.user.id);
    throw error;
  }
}
