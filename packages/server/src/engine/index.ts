export { createEngine, type Engine, type SyncAnswer } from '#engine/engine';
export type { ExecutionFilter, ExecutionHeader } from '#db/execution-log';
export { builtInNodes, nodeRegistry, type NodeRegistry } from '#engine/nodes/index';
export type { NodeServices, OutsideServices } from '#engine/node-services';
export type { StartInput } from '#engine/start-input';
export { productServices } from '#engine/product-services';
export { createPayloadChecker } from '#engine/payload-schema';
export type { BatchRun } from '#engine/read-batches';
export { responseOf, type ExecutionDetail, type NodeRun } from '#engine/read-executions';
