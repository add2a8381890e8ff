export {
  type Form,
  type FormField,
  type FormValues,
  jsonSchemaOf,
  prefill,
  uiSchemaOf,
} from '#human-tasks/form';
export { createHumanTasks, type HumanTasks, type OpenTask } from '#human-tasks/human-tasks';
