import type { NodeType } from '#engine/nodes/node-type';
import { agent } from '#engine/nodes/agent';
import { apiProxy } from '#engine/nodes/api-proxy';
import { appAction } from '#engine/nodes/app-action';
import { appHttp } from '#engine/nodes/app-http';
import { customCode } from '#engine/nodes/custom-code';
import { dataConverter } from '#engine/nodes/data-converter';
import { dataMapper } from '#engine/nodes/data-mapper';
import { dataRef } from '#engine/nodes/data-ref';
import { delay } from '#engine/nodes/delay';
import { callFunction } from '#engine/nodes/function';
import { fileHandler } from '#engine/nodes/file-handler';
import { http } from '#engine/nodes/http';
import { humanTask } from '#engine/nodes/human-task';
import { log } from '#engine/nodes/log';
import { loop } from '#engine/nodes/loop';
import { merge } from '#engine/nodes/merge';
import { pdf } from '#engine/nodes/pdf';
import { recoveryQueue } from '#engine/nodes/recovery-queue';
import { response } from '#engine/nodes/response';
import { rule } from '#engine/nodes/rule';
import { sendEmail } from '#engine/nodes/send-email';
import { start } from '#engine/nodes/start';
import { subFlow } from '#engine/nodes/sub-flow';
import { switchNode } from '#engine/nodes/switch';
import { table } from '#engine/nodes/table';
import { terminateNode } from '#engine/nodes/terminate';
import { waitForWebhook } from '#engine/nodes/wait-for-webhook';
import { transformation } from '#engine/nodes/transformation';
import { transform } from '#engine/nodes/transform';
import { tryCatch } from '#engine/nodes/try-catch';

/** Every node type that a workflow may hold, by its name on the wire. */
export type NodeRegistry = ReadonlyMap<string, NodeType>;

/** Makes a registry of node types; two with one name are a programming error. */
export function nodeRegistry(types: readonly NodeType[]): NodeRegistry {
  const registry = new Map<string, NodeType>();
  for (const type of types) {
    if (registry.has(type.type)) throw new Error(`Two node types are called "${type.type}".`);
    registry.set(type.type, type);
  }
  return registry;
}

/** The node types of the product. */
export const builtInNodes: NodeRegistry = nodeRegistry([
  start,
  appAction,
  appHttp,
  apiProxy,
  http,
  rule,
  transform,
  transformation,
  customCode,
  callFunction,
  agent,
  delay,
  waitForWebhook,
  humanTask,
  subFlow,
  response,
  dataMapper,
  table,
  dataRef,
  log,
  sendEmail,
  loop,
  tryCatch,
  merge,
  switchNode,
  terminateNode,
  recoveryQueue,
  dataConverter,
  fileHandler,
  pdf,
]);
