export {
  allFunctions,
  changeFunction,
  createFunction,
  deleteFunction,
  functionNodeType,
  getFunction,
  pinFunctions,
} from '#functions/functions';
export { readInputs } from '#functions/inputs';
export { findLibraryFunction, functionLibrary } from '#functions/library';
