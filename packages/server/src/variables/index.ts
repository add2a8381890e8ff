export {
  changeDescription,
  createDefinition,
  getDefinition,
  listVariableDefinitions,
  removeDefinition,
} from '#variables/definitions';
export { getValue, listValuesOfScope, removeValue, setValue, type ValueQuery } from '#variables/values';
export { runEnvironment, type RunEnvironment } from '#variables/run-environment';
