import type { Pool } from 'pg';
import type { JournalRow } from '#db/journal-flush';
import { readGivenOutcomes } from '#db/recovery-status';
import { createMasker, valuesAt } from '#domain/masking/index';
import { includedBody } from '#domain/node-output';
import type { Tenant } from '#domain/tenant';
import { defaultPort } from '#engine/nodes/node-type';
import { maskedRow } from '#engine/recording/masked-row';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { JournalOutline } from '#engine/retries/redo';
import { sizeProblem, storedValue } from '#engine/stored-value';
import type { Plan } from '#engine/plan/workflow-plan';
import { sealContext } from '#vault/index';

/** What a call had answered, as somebody says who has looked in the app. */
export interface GivenOutcome {
  readonly output: unknown;
  readonly statusCode?: number | undefined;
}

/** The same, with the node and the iteration that it is the outcome of. */
export interface PlacedOutcome extends GivenOutcome {
  readonly nodeId: string;
  readonly batch: string;
}

/** Says so when an output is larger than a node may hand on. */
export function givenProblem({ output }: GivenOutcome): string | undefined {
  return sizeProblem(storedValue(output));
}

/** Seals a given outcome for its recovery record. */
export function sealGiven(vault: RowVault, recordId: string, given: GivenOutcome): Buffer {
  const { output, statusCode } = given;
  return vault.sealJson({ output, statusCode }, sealContext('recovery_record.given_sealed', recordId));
}

/** What has been said of the calls of an execution. */
export async function givenOutcomesOf(
  deps: { readonly pool: Pool; readonly vault: RowVault },
  tenant: Tenant,
  executionId: string,
): Promise<PlacedOutcome[]> {
  const stored = await readGivenOutcomes(deps.pool, tenant, executionId);
  return stored.map(({ recordId, nodeId, batch, sealed }) => {
    const context = sealContext('recovery_record.given_sealed', recordId);
    return { ...(deps.vault.openJson(sealed, context) as GivenOutcome), nodeId, batch };
  });
}

/** The number that a given outcome takes over: of the last row of its node that is left behind. */
export function slotOf(
  { nodeId, batch }: PlacedOutcome,
  leftBehind: readonly JournalOutline[],
): number | undefined {
  return leftBehind.findLast((row) => row.kind !== 'batch' && row.nodeId === nodeId && row.batch === batch)
    ?.seq;
}

/** The row of a retry that says how the node ended, shown and sealed as if the node had run. */
export function givenRow(
  vault: RowVault,
  plan: Plan,
  given: PlacedOutcome,
  at: { readonly tenant: Tenant; readonly executionId: string; readonly seq: number; readonly now: Date },
): JournalRow {
  const rules = plan.byId.get(given.nodeId)?.output;
  const body = rules === undefined ? given.output : includedBody(rules, given.output);
  const masker = createMasker();
  if (rules !== undefined) masker.learn(valuesAt(body, rules.encrypt));
  return maskedRow(vault, masker, rules, {
    executionId: at.executionId,
    seq: at.seq,
    tenant: at.tenant,
    nodeId: given.nodeId,
    batch: given.batch,
    attempt: 1,
    kind: 'outcome',
    status: 'success',
    port: defaultPort,
    statusCode: given.statusCode,
    output: storedValue(body),
    console: JSON.stringify([
      {
        level: 'info',
        text: 'It was not sent again: somebody said that the call had arrived, with this output.',
      },
    ]),
    at: at.now,
  });
}
