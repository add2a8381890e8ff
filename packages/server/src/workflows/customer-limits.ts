import { definedVariables } from '#db/workflow-references';
import type { Db } from '#db/schema';
import type { FieldProblem } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { compileTemplate, type Path, pathsIn } from '#domain/template';
import { ownRoots } from '#domain/template/expression';
import { compileMarkup } from '#domain/template/markup';
import type { Tenant } from '#domain/tenant';
import type { WorkflowDocument } from '#domain/workflow-document';

/** The scopes of `{{env...}}` whose values belong to the customer, or to the one workflow. */
const openScopes: ReadonlySet<string> = new Set(['linked_account', 'workflow']);

/**
 * What a customer may not write into a workflow: templates that read the organisation's variables, which a node of
 * its own could send anywhere.
 *
 * @returns a problem for each node that does, and one for the settings
 */
export async function customerProblems(
  db: Db,
  tenant: Tenant,
  document: WorkflowDocument,
): Promise<FieldProblem[]> {
  const places = [
    ...document.nodes.map((node, index) => ({ path: `nodes[${index}]`, paths: pathsOf(node) })),
    { path: 'settings', paths: pathsOf(document.settings) },
  ];
  const bare = places.flatMap(({ paths }) => paths.flatMap(({ root }) => (ownRoots.has(root) ? [] : [root])));
  const closed = new Set(await definedVariables(db, tenant.orgId, [...new Set(bare)], ['org', 'workspace']));
  return places.flatMap(({ path, paths }) => {
    const found = paths.find(({ root, segments: [scope] }) =>
      root === 'env' ? !openScopes.has(scope ?? '') : closed.has(root),
    );
    if (found === undefined) return [];
    const name = [found.root, ...found.segments].join('.').slice(0, 200);
    const message = `reads {{${name}}}, a variable of the organisation: a session token may write workflows that read env.linked_account and env.workflow only`;
    return [{ path, message }];
  });
}

/** Every path in every text: what one node takes for code may be a template to another. */
function pathsOf(value: unknown): Path[] {
  if (typeof value === 'string') {
    if (!value.includes('{{')) return [];
    return [
      ...readable(() => pathsIn(compileTemplate(value))),
      ...readable(() => pathsIn({ kind: 'markup', markup: compileMarkup(value) })),
    ];
  }
  if (Array.isArray(value)) return value.flatMap(pathsOf);
  return isRecord(value) ? Object.values(value).flatMap(pathsOf) : [];
}

/** A template that cannot be read is told when the draft is checked, and is never filled in. */
function readable(read: () => Path[]): Path[] {
  try {
    return read();
  } catch {
    return [];
  }
}
