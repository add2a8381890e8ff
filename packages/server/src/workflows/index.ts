export { aliasAvailability } from '#workflows/alias';
export {
  allEvents,
  createEvent,
  createFiringCheck,
  deleteEvent,
  flattenSample,
  getEvent,
  type FiringCheck,
  updateEvent,
} from '#workflows/events';
export {
  changeWorkflow,
  createWorkflow,
  deleteWorkflow,
  getWorkflow,
  publishWorkflow,
  unpublishWorkflow,
  type WorkflowCaller,
} from '#workflows/workflows';
export { exportWorkflow } from '#workflows/export';
export { importWorkflow, type ImportedWorkflow } from '#workflows/import';
