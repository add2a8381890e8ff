import type { StoredJournalRow } from '#db/execution-claim';
import { secretsIn, unmasked, type Masked, type TruePart } from '#domain/masking/index';
import { sealContext, type Vault } from '#vault/index';

/** What was masked out of the values of one journal row, by the value that it was in. */
export interface RowSecrets {
  /** Only of the first row, whose input is the headers that came with the payload. */
  readonly input?: readonly TruePart[];
  readonly output?: readonly TruePart[];
  readonly error?: readonly TruePart[];
  readonly variables?: readonly TruePart[];
  /** Secrets that stood inside longer texts: a run that goes on elsewhere learns them here. */
  readonly words?: readonly string[];
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

/**
 * Puts the true values back into a row of the journal, large values filled in, and says which secrets are in it.
 * Without any secret it is the row.
 */
export type OpenRow = (
  row: TrueValues & Pick<StoredJournalRow, 'execution_id' | 'seq' | 'secrets_sealed'>,
) => TrueValues & { readonly secrets: readonly unknown[] };

interface TrueValues {
  readonly input: unknown;
  readonly output: unknown;
  readonly error: StoredJournalRow['error'];
  readonly variables: StoredJournalRow['variables'];
}

export function rowOpener(vault: RowVault): OpenRow {
  return ({ execution_id, seq, secrets_sealed, ...shown }) => {
    if (secrets_sealed === null) return { ...shown, secrets: [] };
    const sealed = vault.openJson(secrets_sealed, contextOf(execution_id, seq)) as RowSecrets;
    const parts = (name: keyof TrueValues): Masked => ({
      shown: shown[name],
      trueParts: sealed[name] ?? [],
      words: [],
    });
    // Asked before the true values take the places of what is shown.
    const whole = (['input', 'output', 'error', 'variables'] as const).flatMap((name) =>
      secretsIn(parts(name)),
    );
    return {
      input: unmasked(shown.input, sealed.input ?? []),
      output: unmasked(shown.output, sealed.output ?? []),
      error: unmasked(shown.error, sealed.error ?? []) as TrueValues['error'],
      variables: unmasked(shown.variables, sealed.variables ?? []) as TrueValues['variables'],
      secrets: [...whole, ...(sealed.words ?? [])],
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
