export {
  type ConfigCall,
  type ConfigChange,
  configsOf,
  deleteConfig,
  type FieldCall,
  getConfig,
  getConfigField,
  makeDefaultConfig,
  openConfig,
  saveConfig,
  setConfigField,
  switchWorkflow,
} from '#configs/configs';
export type { ConfigFieldView, ConfigView } from '#configs/config-view';
export { allFields, changeField, createField, deleteField } from '#configs/field-definitions';
