export {
  allEvents,
  checkFiredEvent,
  createEvent,
  deleteEvent,
  type EventInput,
  flattenSample,
  getEvent,
  schemaProblems,
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
  type WorkflowDeps,
  type WorkflowInput,
} from '#workflows/workflows';
