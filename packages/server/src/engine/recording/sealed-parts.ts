import type { StoredJournalRow } from '#db/execution-claim';
import { unmasked, type TruePart } from '#domain/masking/index';
import { sealContext, type Vault } from '#vault/index';

/** What was masked out of the values of one journal row, by the value that it was in. */
export interface RowSecrets {
  readonly output?: readonly TruePart[];
  readonly error?: readonly TruePart[];
  readonly variables?: readonly TruePart[];
}

export type RowVault = Pick<Vault, 'sealJson' | 'openJson'>;

export function sealRowSecrets(
  vault: RowVault,
  executionId: string,
  seq: number,
  secrets: RowSecrets,
): Buffer {
  return vault.sealJson(secrets, contextOf(executionId, seq));
}

/** Puts the true values back into a row of the journal, large values filled in. Without any secret it is the row. */
export type OpenRow = (
  row: TrueValues & Pick<StoredJournalRow, 'execution_id' | 'seq' | 'secrets_sealed'>,
) => TrueValues;

interface TrueValues {
  readonly output: unknown;
  readonly error: StoredJournalRow['error'];
  readonly variables: StoredJournalRow['variables'];
}

export function rowOpener(vault: RowVault): OpenRow {
  return ({ execution_id, seq, secrets_sealed, output, error, variables }) => {
    if (secrets_sealed === null) return { output, error, variables };
    const secrets = vault.openJson(secrets_sealed, contextOf(execution_id, seq)) as RowSecrets;
    return {
      output: unmasked(output, secrets.output ?? []),
      error: unmasked(error, secrets.error ?? []) as TrueValues['error'],
      variables: unmasked(variables, secrets.variables ?? []) as TrueValues['variables'],
    };
  };
}

/** The sealed part of a row, sealed for a copy of the row in another execution. */
export function resealRow(vault: RowVault, sealed: Buffer, seq: number, from: string, to: string): Buffer {
  return vault.sealJson(vault.openJson(sealed, contextOf(from, seq)), contextOf(to, seq));
}

function contextOf(executionId: string, seq: number): string {
  return sealContext('journal.secrets_sealed', executionId, String(seq));
}
