export {
  allEvents,
  checkFiredEvent,
  createEvent,
  deleteEvent,
  flattenSample,
  getEvent,
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
