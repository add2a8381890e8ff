import {
  deleteFunctionRow,
  findFunction,
  insertFunction,
  insertFunctionVersion,
  isFunctionNameTaken,
  latestFunctionVersions,
  listFunctions,
  lockFunction,
  updateFunctionRow,
  type FunctionBody,
  type StoredFunction,
} from '#db/code-function';
import type { Db, FunctionField } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { isDeepStrictEqual } from 'node:util';

/** Code that the workflows of a tenant share, in versions that never change (spec/workflows §12.4). */

export interface FunctionDeps {
  readonly db: Db;
}

export interface FunctionInput {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly language?: 'javascript' | 'python' | undefined;
  readonly code?: string | undefined;
  readonly inputs?: readonly FunctionField[] | undefined;
  readonly outputs?: readonly FunctionField[] | undefined;
}

export function allFunctions(deps: FunctionDeps, tenant: Tenant): Promise<StoredFunction[]> {
  return listFunctions(deps.db, tenant);
}

/** @throws AppError `function_not_found` when it, or the version, is not there */
export async function getFunction(
  deps: FunctionDeps,
  tenant: Tenant,
  id: string,
  version?: number,
): Promise<StoredFunction> {
  const found = await findFunction(deps.db, tenant, id, version);
  if (found === undefined) throw new AppError('function_not_found', { id });
  return found;
}

/** @throws AppError `missing_field`, `invalid_request`, `conflict` for a name that is taken */
export function createFunction(
  deps: FunctionDeps,
  tenant: Tenant,
  input: FunctionInput,
): Promise<StoredFunction> {
  const name = readName(input.name);
  const body = readBody({ language: 'javascript', code: '', inputs: [], outputs: [] }, input);
  return tenantTransaction(deps.db, tenant, async (db) => {
    await refuseTakenName(db, tenant, name);
    const id = await insertFunction(db, tenant, { ...body, name, description: input.description ?? '' });
    return getFunction({ db }, tenant, id);
  });
}

/**
 * Changes a function. Other code, inputs or outputs make a new version; drafts and later publishes use it, workflows
 * that are published already keep theirs.
 *
 * @throws AppError `function_not_found`, and as `createFunction`
 */
export function changeFunction(
  deps: FunctionDeps,
  tenant: Tenant,
  id: string,
  input: FunctionInput,
): Promise<StoredFunction> {
  return tenantTransaction(deps.db, tenant, async (db) => {
    await lockFunction(db, tenant, id);
    const before = await getFunction({ db }, tenant, id);
    const name = input.name === undefined ? before.name : readName(input.name);
    const { language, code, inputs, outputs } = before;
    const old: FunctionBody = { language, code, inputs, outputs };
    const body = readBody(old, input);
    await refuseTakenName(db, tenant, name, id);
    const isSame = isDeepStrictEqual(body, old);
    const latestVersion = isSame ? before.latest_version : before.latest_version + 1;
    if (!isSame) await insertFunctionVersion(db, tenant, id, latestVersion, body);
    const description = input.description ?? before.description;
    await updateFunctionRow(db, tenant, id, { name, description, latestVersion });
    return getFunction({ db }, tenant, id);
  });
}

/** Deletes a function; nodes that use it fail from then on. @throws AppError `function_not_found` */
export async function deleteFunction(deps: FunctionDeps, tenant: Tenant, id: string): Promise<void> {
  await tenantTransaction(deps.db, tenant, async (db) => {
    if (!(await deleteFunctionRow(db, tenant, id))) throw new AppError('function_not_found', { id });
  });
}

/** Node type of a call, and where the number of its version stands in the node's settings. */
export const functionNodeType = 'function';

interface PinnableNode {
  readonly id: string;
  readonly node_type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Nodes with the version of each function that they call written into them, for a document that is to be published.
 * Problems name the nodes whose function is not there.
 */
export async function pinFunctions<Node extends PinnableNode>(
  db: Db,
  tenant: Tenant,
  nodes: readonly Node[],
): Promise<{ nodes: Node[]; problems: { path: string; message: string }[] }> {
  const idOf = (node: PinnableNode): string | undefined => {
    const id = node.node_type === functionNodeType ? node.data['function_id'] : undefined;
    return typeof id === 'string' && !id.startsWith('builtin:') ? id : undefined;
  };
  const ids = nodes.flatMap((node) => idOf(node) ?? []);
  const versions = await latestFunctionVersions(db, tenant, ids);
  const problems: { path: string; message: string }[] = [];
  const pinned = nodes.map((node) => {
    const id = idOf(node);
    if (id === undefined) return node;
    const version = versions.get(id);
    if (version === undefined) {
      problems.push({
        path: `nodes.${node.id}.data.function_id`,
        message: `there is no function "${id}": choose another one`,
      });
      return node;
    }
    return { ...node, data: { ...node.data, function_version: version } };
  });
  return { nodes: pinned, problems };
}

const nameLength = 100;
const mostFields = 50;
const mostCode = 1_000_000;

function readName(given: string | undefined): string {
  const name = (given ?? '').trim();
  if (name === '') throw new AppError('missing_field', { field: 'name' });
  if (name.length > nameLength) throw invalid('name', `is longer than ${nameLength} characters`);
  return name;
}

function readBody(before: FunctionBody, input: FunctionInput): FunctionBody {
  const body: FunctionBody = {
    language: input.language ?? before.language,
    code: input.code ?? before.code,
    inputs: input.inputs ?? before.inputs,
    outputs: input.outputs ?? before.outputs,
  };
  if (body.code.trim() === '') throw new AppError('missing_field', { field: 'code' });
  if (body.code.length > mostCode) throw invalid('code', 'is longer than 1 MB');
  for (const key of ['inputs', 'outputs'] as const) {
    const names = body[key].map(({ name }) => name);
    if (names.length > mostFields) throw invalid(key, `has more than ${mostFields} fields`);
    names.forEach((name, at) => {
      if (!/^[A-Za-z_]\w{0,99}$/.test(name) || name === '__proto__' || name === 'constructor') {
        throw invalid(`${key}.${at}.name`, `is "${name}"; a name has letters, digits and _`);
      }
      if (names.indexOf(name) !== at) throw invalid(`${key}.${at}.name`, `"${name}" is there twice`);
    });
  }
  return body;
}

function invalid(path: string, message: string): AppError {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}

async function refuseTakenName(db: Db, tenant: Tenant, name: string, exceptId?: string): Promise<void> {
  if (await isFunctionNameTaken(db, tenant, name, exceptId)) {
    throw new AppError('conflict', { what: 'Function', id: name });
  }
}
