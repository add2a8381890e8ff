import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#domain/errors';
import { emptyWorkflowDocument, readWorkflowDocument } from '#domain/workflow-document';

/** What a workflow with this limit is told: `path message`, or its settings when it is taken. */
function read(concurrency: unknown): unknown {
  try {
    return readWorkflowDocument({ ...emptyWorkflowDocument(), settings: { timeout: 5, concurrency } })
      .settings;
  } catch (error) {
    assert.ok(error instanceof AppError);
    const { problems } = error.details as { problems: { path: string; message: string }[] };
    return problems.map(({ path, message }) => `${path} ${message}`).join('; ');
  }
}

test('a limit of a workflow that is none is refused with the field and what it may be', () => {
  const field = 'settings.concurrency';
  assert.equal(read({ limit: 0 }), `${field}.limit must be at least 1`);
  assert.equal(read({}), `${field}.limit must be a whole number of executions`);
  assert.equal(
    read({ limit: 1, overflow: 'wait' }),
    `${field}.overflow must be "queue", "drop" or "replace"`,
  );
  assert.equal(
    read({ limit: 1, scope: 'x' }),
    `${field} knows no "scope": it takes limit, overflow, per and hold_while_waiting`,
  );
  assert.match(String(read(3)), /^settings\.concurrency must be an object such as/);
});

test('a limit says what else holds, and other settings stay as they are', () => {
  assert.deepEqual(read({ limit: 2, per: 'account' }), {
    timeout: 5,
    concurrency: { limit: 2, overflow: 'queue', per: 'account', hold_while_waiting: false },
  });
  assert.deepEqual(read(undefined), { timeout: 5, concurrency: undefined });
});
