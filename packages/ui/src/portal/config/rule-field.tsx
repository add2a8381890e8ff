import { useCallback, useEffect, useState } from 'react';
import { Button, IconButton } from '#components/button.tsx';
import { Combobox } from '#components/combobox.tsx';
import type { FieldTarget } from '../api/portal-api.ts';
import type { ConfigField, Option, Rule, RuleColumns, RuleGroup } from '../api/wire.ts';
import { type MessageKey, t } from '../messages/messages.ts';
import { usePortal } from '../portal-context.ts';
import { asList, choicesOf, isRuleGroup } from './draft.ts';

interface RuleFieldProps {
  readonly target: FieldTarget;
  readonly field: ConfigField;
  readonly value: unknown;
  readonly onChange: (value: RuleGroup | undefined) => void;
}

const emptyGroup: RuleGroup = { logic: 'AND', conditions: [] };

/** Conditions joined by AND or OR, in groups of any depth. */
export function RuleField({ target, field, value, onChange }: RuleFieldProps) {
  return (
    <Group
      target={target}
      field={field}
      path=""
      group={isRuleGroup(value) ? value : emptyGroup}
      onChange={(group) => onChange(group.conditions.length === 0 ? undefined : group)}
    />
  );
}

interface GroupProps {
  readonly target: FieldTarget;
  readonly field: ConfigField;
  /** "2." inside the second entry; numbers name conditions for screen readers. */
  readonly path: string;
  readonly group: RuleGroup;
  readonly onChange: (group: RuleGroup) => void;
}

function Group({ target, field, path, group, onChange }: GroupProps) {
  const setAt = (index: number, condition: Rule | RuleGroup) =>
    onChange({ ...group, conditions: group.conditions.map((old, i) => (i === index ? condition : old)) });
  const removeAt = (index: number) =>
    onChange({ ...group, conditions: group.conditions.filter((_, i) => i !== index) });
  const add = (condition: Rule | RuleGroup) =>
    onChange({ ...group, conditions: [...group.conditions, condition] });
  return (
    <div
      className="rules"
      role="group"
      aria-label={path === '' ? field.name : t('rule_group', { number: path.slice(0, -1) })}
    >
      {group.conditions.length > 1 && (
        <div className="select">
          <select
            className="input"
            aria-label={t('rule_match')}
            value={group.logic}
            onChange={(event) => onChange({ ...group, logic: event.target.value === 'OR' ? 'OR' : 'AND' })}
          >
            <option value="AND">{t('rule_all')}</option>
            <option value="OR">{t('rule_any')}</option>
          </select>
        </div>
      )}
      {group.conditions.map((condition, index) => {
        const number = `${path}${index + 1}`;
        return isRuleGroup(condition) ? (
          <div key={index} className="rule-nested">
            <Group
              target={target}
              field={field}
              path={`${number}.`}
              group={condition}
              onChange={(changed) => setAt(index, changed)}
            />
            <IconButton
              icon="cross"
              label={t('rule_remove_group', { number })}
              onClick={() => removeAt(index)}
            />
          </div>
        ) : (
          <Condition
            key={index}
            target={target}
            field={field}
            number={number}
            rule={condition}
            onChange={(changed) => setAt(index, changed)}
            onRemove={() => removeAt(index)}
          />
        );
      })}
      <div className="rule-add">
        <Button icon="plus" onClick={() => add({})}>
          {t('rule_add')}
        </Button>
        {group.conditions.length > 0 && (
          <Button kind="plain" icon="plus" onClick={() => add({ ...emptyGroup, conditions: [{}] })}>
            {t('rule_add_group')}
          </Button>
        )}
      </div>
    </div>
  );
}

interface ConditionProps {
  readonly target: FieldTarget;
  readonly field: ConfigField;
  readonly number: string;
  readonly rule: Rule;
  readonly onChange: (rule: Rule) => void;
  readonly onRemove: () => void;
}

const defaultOperators = ['eq', 'neq', 'start_with', 'end_with', 'greater_or_equal', 'less_or_equal'];

function Condition({ target, field, number, rule, onChange, onRemove }: ConditionProps) {
  const columns = useRuleColumns(target, field, rule);
  const lhsOptions = choicesOf(field.mapping?.lhs?.options ?? field.options ?? []);
  const operators: readonly Option[] =
    (columns?.operator?.options && choicesOf(columns.operator.options)) ??
    defaultOperators.map((value) => ({ value, name: operatorName(value) }));
  const choice = {
    noMatchText: t('options_none'),
    removeLabel: (name: string) => t('remove_choice', { choice: name }),
  };
  const lhsLabel = t('rule_lhs', { number });
  const rhsLabel = t('rule_rhs', { number });
  return (
    <div className="rule">
      {lhsOptions.length === 0 ? (
        <input
          className="input"
          aria-label={lhsLabel}
          value={String(rule.lhs ?? '')}
          onChange={(event) => onChange({ ...rule, lhs: event.target.value })}
        />
      ) : (
        <Combobox
          {...choice}
          control={{}}
          label={lhsLabel}
          choices={lhsOptions}
          selected={asList(rule.lhs)}
          placeholder={t('choose')}
          // What can be compared, and with what, hangs on the left side.
          onSelect={([lhs]) => onChange(lhs === undefined ? {} : { lhs })}
        />
      )}
      <Combobox
        {...choice}
        control={{}}
        label={t('rule_operator', { number })}
        choices={operators}
        selected={asList(rule.operator)}
        placeholder={t('choose')}
        onSelect={([operator]) => onChange({ ...rule, operator: String(operator ?? '') })}
      />
      {columns?.rhs?.options !== undefined && columns.rhs.type === 'select' ? (
        <Combobox
          {...choice}
          control={{}}
          label={rhsLabel}
          choices={choicesOf(columns.rhs.options)}
          selected={asList(rule.rhs)}
          placeholder={t('choose')}
          onSelect={([rhs]) => onChange({ ...rule, rhs })}
        />
      ) : (
        <input
          className="input"
          aria-label={rhsLabel}
          value={typeof rule.rhs === 'string' || typeof rule.rhs === 'number' ? rule.rhs : ''}
          onChange={(event) => onChange({ ...rule, rhs: event.target.value })}
        />
      )}
      <IconButton icon="cross" label={t('rule_remove', { number })} onClick={onRemove} />
    </div>
  );
}

/** The comparisons and values that go with a left side: sent along with the field, or asked for. */
function useRuleColumns(target: FieldTarget, field: ConfigField, rule: Rule): RuleColumns | undefined {
  const { api } = usePortal();
  const { slug, fieldId, workflowId } = target;
  const sent = field.rule_columns?.[String(rule.lhs)];
  const [asked, setAsked] = useState<{ lhs: unknown; columns: RuleColumns }>();
  const lhs = sent === undefined && field.field_type === 'rule_engine' ? rule.lhs : undefined;
  const ask = useCallback(
    (signal: AbortSignal) =>
      lhs === undefined || lhs === ''
        ? Promise.resolve(undefined)
        : api.loadRuleColumns({ slug, fieldId, workflowId }, lhs, signal),
    [api, slug, fieldId, workflowId, lhs],
  );
  useEffect(() => {
    const abort = new AbortController();
    ask(abort.signal).then(
      (columns) => {
        if (columns !== undefined && !abort.signal.aborted) setAsked({ lhs, columns });
        return undefined;
      },
      // The default comparisons and a free value still make a valid rule.
      () => undefined,
    );
    return () => abort.abort();
  }, [ask, lhs]);
  return sent ?? (asked !== undefined && asked.lhs === lhs ? asked.columns : undefined);
}

function operatorName(value: string): string {
  return t(`operator_${value}` as MessageKey);
}
