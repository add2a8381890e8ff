import type { JournalRow, StoredValue } from '#db/journal-flush';
import type { Masker, TruePart, ValuePath } from '#domain/masking/index';
import type { OutputRules } from '#domain/node-output';
import { sealRowSecrets, type RowSecrets, type RowVault } from '#engine/recording/sealed-parts';
import { storedValue } from '#engine/stored-value';

/** What stands in the log where a node's request and response are hidden. */
export const hidden = '[HIDDEN]';

/**
 * A journal row as people may see it. What later steps of the run need of the rest is sealed beside it; the request
 * and the console are for people only, but for the first row of an execution, whose request is the headers that came
 * with its payload. A row without a secret, which is nearly every one, stays the object it is.
 *
 * @param also - paths of the output that are encrypted besides those of the rules
 */
export function maskedRow(
  vault: RowVault,
  masker: Masker,
  rules: OutputRules | undefined,
  row: JournalRow,
  also: readonly ValuePath[] = [],
): JournalRow {
  const isHidden = rules?.isHidden === true;
  const isFirst = row.seq === 0;
  const encrypted = row.kind === 'start' ? [] : [...(rules?.encrypt ?? []), ...also];
  if (!isHidden && encrypted.length === 0 && !holdsSecret(masker, row)) return row;
  const input =
    isHidden && row.input !== undefined
      ? hiddenValue(row.input)
      : masked(masker, row.input, isFirst ? encrypted : []);
  const output =
    isHidden && row.output !== undefined ? hiddenValue(row.output) : masked(masker, row.output, encrypted);
  const error = masked(masker, row.error && { json: row.error }, isHidden ? [['body']] : []);
  const variables = masked(masker, row.variables && { json: row.variables }, []);
  const words = [output, error, variables, ...(isFirst ? [input] : [])].flatMap((value) => value.words);
  const secrets: RowSecrets = {
    ...(isFirst && input.trueParts.length > 0 && { input: input.trueParts }),
    ...(output.trueParts.length > 0 && { output: output.trueParts }),
    ...(error.trueParts.length > 0 && { error: error.trueParts }),
    ...(variables.trueParts.length > 0 && { variables: variables.trueParts }),
    ...(words.length > 0 && { words: [...new Set(words)] }),
  };
  return {
    ...row,
    input: input.stored,
    output: output.stored,
    error: textOf(error.stored),
    console: isHidden ? undefined : textOf(masked(masker, row.console && { json: row.console }, []).stored),
    variables: textOf(variables.stored),
    ...(Object.keys(secrets).length > 0 && {
      secretsSealed: sealRowSecrets(vault, row.executionId, row.seq, secrets),
    }),
  };
}

interface MaskedValue {
  readonly stored: StoredValue | undefined;
  readonly trueParts: readonly TruePart[];
  readonly words: readonly string[];
}

const nothing = { trueParts: [], words: [] } as const;

function masked(
  masker: Masker,
  value: StoredValue | '' | undefined,
  paths: readonly ValuePath[],
): MaskedValue {
  if (value === undefined || value === '') return { stored: undefined, ...nothing };
  const text = textOf(value) ?? 'null';
  if (paths.length === 0 && !masker.isTainted(text)) return { stored: value, ...nothing };
  const { shown, trueParts, words } = masker.value(JSON.parse(text), paths);
  return { stored: trueParts.length === 0 ? value : storedValue(shown), trueParts, words };
}

function hiddenValue(value: StoredValue): MaskedValue {
  return { stored: storedValue(hidden), trueParts: [[[], JSON.parse(textOf(value) ?? 'null')]], words: [] };
}

function holdsSecret(masker: Masker, row: JournalRow): boolean {
  if (masker.isEmpty) return false;
  return [textOf(row.input), textOf(row.output), row.error, row.console, row.variables].some(
    (text) => text !== undefined && masker.isTainted(text),
  );
}

function textOf(value: StoredValue | undefined): string | undefined {
  if (value === undefined) return undefined;
  return 'json' in value ? value.json : value.content;
}
