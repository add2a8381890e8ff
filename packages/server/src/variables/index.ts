export {
  changeDescription,
  createDefinition,
  getDefinition,
  listVariableDefinitions,
  removeDefinition,
  type DefinitionInput,
} from '#variables/definitions';
export { getValue, listValuesOfScope, removeValue, setValue } from '#variables/values';
export { runEnvironment } from '#variables/run-environment';
