import { createHash, createHmac } from 'node:crypto';
import type { Pool } from 'pg';
import { clientTransaction } from '#db/client-transaction';
import {
  answerHumanTask,
  countResentHumanTask,
  expireHumanTask,
  findHumanTask,
  findHumanTaskByToken,
  findLivingHumanTask,
  type HumanTaskPlace,
  type HumanTaskRow,
  insertHumanTask,
  moveHumanTaskMail,
} from '#db/human-task';
import type { HumanTaskStatus } from '#db/schema';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { checkAnswer, type Form, type FormValues } from '#human-tasks/form';
import type { Mail, MailMessage } from '#mail/index';
import { sealContext, type Vault } from '#vault/index';

/** The token in a link: 256 bits, by which alone a task is found. */
const tokenPattern = /^[\w-]{43}$/;
const formUrl = '[[form_url]]';

export interface NewHumanTask {
  readonly form: Form;
  /** Its title in lists of tasks, where no secret may stand; the form's own unless given. */
  readonly listedAs?: string;
  readonly dueAt: Date;
  /** To whom the link goes. `[[form_url]]` in its text stands for the link. */
  readonly mail: Omit<MailMessage, 'idempotencyKey'>;
}

/** What became of the mail of a task. */
export type TaskMail =
  | { readonly kind: 'sent'; readonly rejected: readonly string[] }
  /** It went out before, or nobody can know whether it did: it is not sent again. */
  | { readonly kind: 'sent_before' | 'unknown' }
  | { readonly kind: 'not_sent'; readonly message: string; readonly retry: 'safe' | 'never' };

/** How a task ended. */
export type TaskEnd =
  { readonly status: 'SUBMITTED'; readonly values: FormValues } | { readonly status: 'TIMEOUT' | 'gone' };

/** A task as somebody with the link sees it. */
export interface OpenTask {
  readonly id: string;
  readonly form: Form;
  readonly status: HumanTaskStatus;
  /** What was sent in, when it was. */
  readonly answer: FormValues | undefined;
  readonly receivers: readonly string[];
  readonly dueAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Forms that people fill in while an execution waits: each node's one task once, however often it is run. */
export interface HumanTasks {
  /**
   * Stores the task of a node, then mails its link; both once. Whatever dies in between, the task stands and can be
   * sent in.
   *
   * @throws AppError `mail_not_configured`, `egress_forbidden`: the next call tries to mail again
   */
  open(
    tenant: Tenant,
    place: HumanTaskPlace,
    task: NewHumanTask,
  ): Promise<{ readonly dueAt: Date; readonly mail: TaskMail }>;
  /**
   * Mails the link of a task that still waits once more, to the same people: a person asked for it.
   *
   * @throws AppError `not_found`, `human_task_closed`, `wrong_state` (its first mail is on its way or was
   *   refused, or this one is), `mail_not_configured`, `egress_forbidden`
   */
  resend(tenant: Tenant, id: string): Promise<{ readonly rejected: readonly string[] }>;
  /** What came of the task of a node that goes on; from now on nothing else does. */
  settle(tenant: Tenant, place: HumanTaskPlace): Promise<TaskEnd>;
  /** @throws AppError `human_task_not_found` */
  read(token: string): Promise<OpenTask>;
  /**
   * Takes an answer; the first one wins. The caller wakes the engine.
   *
   * @throws AppError `human_task_not_found`, `human_task_closed`, `invalid_request` naming the fields
   */
  submit(token: string, given: Readonly<Record<string, unknown>>): Promise<void>;
}

export function createHumanTasks(deps: {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly mail: Pick<Mail, 'send'>;
  readonly config: { readonly publicUrl: string };
}): HumanTasks {
  const { pool, clock, vault } = deps;
  const key = vault.deriveKey('human-task');

  // Made again instead of stored: a process that finds the task of a dead one mails the same link.
  const tokenOf = (tenant: Tenant, { executionId, nodeId, batch }: HumanTaskPlace): string =>
    createHmac('sha256', key)
      .update([tenant.orgId, tenant.environment, executionId, nodeId, batch].join('\n'))
      .digest('base64url');

  /** The message with the link in it. */
  function filled(mail: NewHumanTask['mail'], token: string): NewHumanTask['mail'] {
    const url = `${deps.config.publicUrl}/tasks/${token}`;
    return {
      ...mail,
      subject: mail.subject.replaceAll(formUrl, url),
      text: mail.text?.replaceAll(formUrl, url),
      html: mail.html?.replaceAll(formUrl, url),
    };
  }

  async function sendOnce(tenant: Tenant, task: HumanTaskRow, letter: NewHumanTask['mail']) {
    if (task.mail === 'sent') return { kind: 'sent_before' } as const;
    const move = moveHumanTaskMail.bind(undefined, pool, tenant, task.id);
    if (!(await move('due', 'sending'))) {
      // Whoever sent it never came to say how it went.
      await move('sending', 'unknown');
      return { kind: 'unknown' } as const;
    }
    let result: Awaited<ReturnType<Mail['send']>>;
    try {
      result = await deps.mail.send(tenant, {
        ...letter,
        // Of this task alone: a retry of the execution makes another task, whose mail is another one.
        idempotencyKey: `human-task:${task.id}`,
      });
    } catch (error) {
      // Thrown is only what was found before the server was asked; of anything else nothing is certain.
      await move('sending', error instanceof AppError ? 'due' : 'unknown');
      throw error;
    }
    if (result.isSent) {
      await move('sending', 'sent');
      return { kind: 'sent', rejected: result.rejected } as const;
    }
    const { message, retry } = result;
    await move('sending', retry === 'safe' ? 'due' : retry === 'never' ? 'failed' : 'unknown');
    return retry === 'unknown'
      ? ({ kind: 'unknown' } as const)
      : ({ kind: 'not_sent', message, retry } as const);
  }

  function formOf(row: HumanTaskRow): Form {
    return vault.openJson(row.form_sealed, sealContext('human_task.form_sealed', row.id)) as Form;
  }

  function answerOf(row: HumanTaskRow): FormValues | undefined {
    return row.answer_sealed === null
      ? undefined
      : (vault.openJson(row.answer_sealed, sealContext('human_task.answer_sealed', row.id)) as FormValues);
  }

  function statusOf(row: HumanTaskRow): HumanTaskStatus {
    return row.status === 'WAITING' && row.due_at <= clock.now() ? 'TIMEOUT' : row.status;
  }

  return {
    async open(tenant, place, { form, listedAs = form.title, dueAt, mail }) {
      const token = tokenOf(tenant, place);
      let row = await findHumanTask(pool, tenant, place);
      if (row === undefined) {
        const at = clock.now();
        const { signal: _ofThisAttempt, ...letter } = mail;
        const id = newId(at.getTime());
        await insertHumanTask(pool, tenant, place, {
          id,
          tokenHash: hashOf(token),
          title: listedAs,
          receivers: mail.to.map(({ address }) => address),
          formSealed: vault.sealJson(form, sealContext('human_task.form_sealed', id)),
          mailSealed: vault.sealJson(letter, sealContext('human_task.mail_sealed', id)),
          dueAt,
          at,
        });
        row = (await findHumanTask(pool, tenant, place))!;
      }
      return { dueAt: row.due_at, mail: await sendOnce(tenant, row, filled(mail, token)) };
    },
    async resend(tenant, id) {
      const row = await findLivingHumanTask(pool, tenant, id);
      if (row === undefined) throw new AppError('not_found', { what: 'Human task', id });
      const status = statusOf(row);
      if (status !== 'WAITING') throw new AppError('human_task_closed', { status });
      if (row.mail === 'due' || row.mail === 'sending' || row.mail_sealed === null) {
        throw new AppError('wrong_state', {
          reason: 'The mail of this task is still being sent by its workflow.',
        });
      }
      if (row.mail === 'failed') {
        throw new AppError('wrong_state', {
          reason: 'The mail of this task was refused and its node failed, so nobody waits for an answer.',
        });
      }
      const nth = await countResentHumanTask(pool, tenant, row);
      if (nth === undefined) {
        throw new AppError('wrong_state', { reason: 'Somebody else is sending this mail again right now.' });
      }
      const mail = vault.openJson(
        row.mail_sealed,
        sealContext('human_task.mail_sealed', row.id),
      ) as NewHumanTask['mail'];
      const place = { executionId: row.execution_id, nodeId: row.node_id, batch: row.batch };
      const result = await deps.mail.send(tenant, {
        ...filled(mail, tokenOf(tenant, place)),
        idempotencyKey: `human-task:${row.id}:${nth}`,
      });
      if (!result.isSent) throw new AppError('wrong_state', { reason: result.message });
      await moveHumanTaskMail(pool, tenant, row.id, row.mail, 'sent');
      return { rejected: result.rejected };
    },
    async settle(tenant, place) {
      await expireHumanTask(pool, tenant, place, clock.now());
      const row = await findHumanTask(pool, tenant, place);
      const values = row && answerOf(row);
      if (values !== undefined) return { status: 'SUBMITTED', values };
      return { status: row === undefined ? 'gone' : 'TIMEOUT' };
    },
    async read(token) {
      const row = tokenPattern.test(token) ? await findHumanTaskByToken(pool, hashOf(token)) : undefined;
      if (row === undefined) throw new AppError('human_task_not_found', undefined);
      return {
        id: token,
        form: formOf(row),
        status: statusOf(row),
        answer: answerOf(row),
        receivers: row.receivers,
        dueAt: row.due_at,
        createdAt: row.created_at,
        updatedAt: row.updated_at,
      };
    },
    async submit(token, given) {
      if (!tokenPattern.test(token)) throw new AppError('human_task_not_found', undefined);
      await clientTransaction(pool, async (client) => {
        const row = await findHumanTaskByToken(client, hashOf(token), true);
        if (row === undefined) throw new AppError('human_task_not_found', undefined);
        const status = statusOf(row);
        if (status !== 'WAITING') throw new AppError('human_task_closed', { status });
        const { values, problems } = checkAnswer(formOf(row), given);
        if (problems.length > 0) throw new AppError('invalid_request', { problems });
        const sealed = vault.sealJson(values, sealContext('human_task.answer_sealed', row.id));
        if (!(await answerHumanTask(client, row, sealed, clock.now()))) {
          throw new AppError('human_task_closed', { status: 'TIMEOUT' });
        }
      });
    },
  };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
