import { type FormEvent, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Button } from '#components/button.tsx';
import { useAnnounce } from '#components/live-region.tsx';
import { Notice } from '#components/notice.tsx';
import { Switch } from '#components/switch.tsx';
import { useResource } from '#components/use-resource.ts';
import type { Config, ConfigField, ConfigWorkflow } from '../api/wire.ts';
import { focusFirstInvalid } from '../focus.ts';
import { explain } from '../explain.ts';
import { t } from '../messages/messages.ts';
import { ConfigSkeleton } from '../pages/skeletons.tsx';
import { usePortal } from '../portal-context.ts';
import { useRouter } from '../router.tsx';
import { ConfigFieldRow } from './config-field-row.tsx';
import { PageTabs } from './page-tabs.tsx';
import {
  checkDraft,
  type Draft,
  descendantsOf,
  draftOf,
  emptyDraft,
  fieldKey,
  isDirty,
  isEnabled,
  withEnabled,
} from './draft.ts';

/** What the customer chooses for a connected app. */
export function ConfigSection({ slug }: { slug: string }) {
  const { api } = usePortal();
  const config = useResource(useCallback((signal) => api.openConfig(slug, signal), [api, slug]));
  if (config.data === undefined) {
    if (config.error === undefined || config.isLoading) return <ConfigSkeleton />;
    return (
      <div role="alert">
        <Notice
          tone="danger"
          title={t('configuration_failed')}
          actions={<Button onClick={config.reload}>{t('retry')}</Button>}
        >
          {explain(config.error)}
        </Notice>
      </div>
    );
  }
  return <ConfigEditor config={config.data} onSaved={config.replace} />;
}

function ConfigEditor({ config, onSaved }: { config: Config; onSaved: (config: Config) => void }) {
  const { api } = usePortal();
  const { setGuarded } = useRouter();
  const announce = useAnnounce();
  const saved = useMemo(() => draftOf(config), [config]);
  const [draft, setDraft] = useState<Draft>(saved);
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>(() => problemsOf(config));
  const [failure, setFailure] = useState<string>();
  const [status, setStatus] = useState<'idle' | 'saving' | 'saved'>('idle');
  const [failedChecks, setFailedChecks] = useState(0);
  const form = useRef<HTMLFormElement>(null);

  const dirty = isDirty(draft, saved);
  useEffect(() => {
    setGuarded(dirty);
    return () => setGuarded(false);
  }, [dirty, setGuarded]);

  const change = (
    fields: readonly ConfigField[],
    field: ConfigField,
    value: unknown,
    workflowId?: string,
  ) => {
    const key = fieldKey(field.id, workflowId);
    const next: Record<string, unknown> = { ...draft, [key]: value };
    for (const child of descendantsOf(fields, field.id)) {
      const childKey = fieldKey(child.id, workflowId);
      const empty = emptyDraft(child);
      if (JSON.stringify(next[childKey]) !== JSON.stringify(empty)) {
        announce(t('parent_changed', { field: child.name, parent: field.name }));
      }
      next[childKey] = empty;
    }
    setDraft(next);
    setStatus('idle');
    setProblems((old) => Object.fromEntries(Object.entries(old).filter(([other]) => other !== key)));
  };

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (status === 'saving') return;
    const checked = checkDraft(config, draft, saved);
    setProblems(checked.problems);
    setFailure(undefined);
    const count = Object.keys(checked.problems).length;
    if (count > 0) {
      announce(t('fix_fields', { count }));
      setFailedChecks(failedChecks + 1);
      focusFirstInvalid(form.current);
      return;
    }
    setStatus('saving');
    try {
      const answer = await api.saveConfig(config.slug, checked.change);
      const refused = problemsOf(answer);
      // What the server did not take stays on the screen with its reason.
      const kept = Object.fromEntries(Object.keys(refused).map((key) => [key, draft[key]]));
      setDraft({ ...draftOf(answer), ...kept });
      setProblems(refused);
      onSaved(answer);
      const refusals = Object.keys(refused).length;
      setStatus(refusals > 0 ? 'idle' : 'saved');
      announce(refusals > 0 ? t('fix_fields', { count: refusals }) : t('saved'));
      if (refusals > 0) {
        setFailedChecks(failedChecks + 1);
        focusFirstInvalid(form.current);
      }
    } catch (error) {
      setStatus('idle');
      setFailure(explain(error));
    }
  };

  const rows = (all: readonly ConfigField[], fields: readonly ConfigField[], workflowId?: string) =>
    fields.map((field) => {
      const key = fieldKey(field.id, workflowId);
      const parent = field.parent === undefined ? undefined : all.find((other) => other.id === field.parent);
      return (
        <ConfigFieldRow
          key={key}
          slug={config.slug}
          field={field}
          workflowId={workflowId}
          parent={parent}
          parentEntry={parent && draft[fieldKey(parent.id, workflowId)]}
          entry={draft[key]}
          problem={problems[key]}
          onChange={(value) => change(all, field, value, workflowId)}
        />
      );
    });

  const visible = config.fields.filter((field) => field.hidden !== true);
  if (visible.length === 0 && config.workflows.length === 0) {
    return <p className="muted">{t('no_configuration')}</p>;
  }
  return (
    <form ref={form} noValidate className="config" onSubmit={(event) => void save(event)}>
      {visible.length > 0 && (
        <PageTabs
          items={visible}
          pageOf={(field) => field.associated_page || t('general_page')}
          failedChecks={failedChecks}
          isMarked={(field) => problems[fieldKey(field.id)] !== undefined}
        >
          {(fields) => <div className="fields">{rows(config.fields, fields)}</div>}
        </PageTabs>
      )}
      {config.workflows.length > 0 && (
        <section className="workflows" aria-labelledby="workflows-title">
          <h3 id="workflows-title">{t('workflows_title')}</h3>
          <p className="muted">{t('workflows_help')}</p>
          {config.workflows.map((workflow) => (
            <WorkflowCard
              key={workflow.id}
              workflow={workflow}
              isOn={isEnabled(draft, workflow.id)}
              onToggle={(isOn) => {
                setDraft(withEnabled(draft, workflow.id, isOn));
                setStatus('idle');
              }}
            >
              {rows(
                workflow.fields,
                workflow.fields.filter((field) => field.hidden !== true),
                workflow.id,
              )}
            </WorkflowCard>
          ))}
        </section>
      )}
      <div role="alert">{failure !== undefined && <Notice tone="danger">{failure}</Notice>}</div>
      <div className="save-bar" data-dirty={dirty || undefined}>
        <Button type="submit" kind="primary" isBusy={status === 'saving'}>
          {t(status === 'saving' ? 'saving' : 'save')}
        </Button>
        {dirty && (
          <Button
            kind="plain"
            onClick={() => {
              setDraft(saved);
              setProblems({});
            }}
          >
            {t('discard')}
          </Button>
        )}
        <span className="save-status">{dirty ? t('unsaved') : status === 'saved' ? t('saved') : ''}</span>
      </div>
    </form>
  );
}

/** What the server reports of single fields, under the keys of the screen. */
function problemsOf(config: Config): Record<string, string> {
  const places = [
    ...config.fields.map((field) => ({ id: field.id, key: fieldKey(field.id) })),
    ...config.workflows.flatMap((workflow) =>
      workflow.fields.map((field) => ({ id: field.id, key: fieldKey(field.id, workflow.id) })),
    ),
  ];
  return Object.fromEntries(
    config.field_errors.flatMap((error) =>
      places
        .filter((place) => place.id === error.id)
        .map((place) => [place.key, error.error?.message || t('options_failed')]),
    ),
  );
}

interface WorkflowCardProps {
  readonly workflow: ConfigWorkflow;
  readonly isOn: boolean;
  readonly onToggle: (isOn: boolean) => void;
  readonly children: readonly ReactNode[];
}

function WorkflowCard({ workflow, isOn, onToggle, children }: WorkflowCardProps) {
  const descriptionId = `workflow-${workflow.id}`;
  return (
    <article className="workflow">
      <div className="workflow-head">
        <div>
          <h4>{workflow.name}</h4>
          {workflow.description && (
            <p className="muted" id={descriptionId}>
              {workflow.description}
            </p>
          )}
        </div>
        <Switch
          label={workflow.name}
          isOn={isOn}
          onChange={onToggle}
          describedBy={workflow.description ? descriptionId : undefined}
        />
      </div>
      {isOn && children.length > 0 && <div className="fields">{children}</div>}
    </article>
  );
}
