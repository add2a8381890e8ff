export {
  clearDataRef,
  createDataRef,
  dataRefTable,
  deleteDataRef,
  forgetRecord,
  groupDataRefs,
  pageOfDataRefNames,
  pageOfDataRefs,
  recallIds,
  rememberIds,
  type DataRefData,
} from '#records/data-refs';
export { dataStoreRecords, type DataStoresOf, listDataStores, searchDataStore } from '#records/data-stores';
export {
  addColumns,
  addRecords,
  createTable,
  encryptedColumns,
  deleteRecord,
  deleteTable,
  findRecords,
  getRecord,
  groupTables,
  pageOfRecords,
  pageOfTables,
  removeColumns,
  renameColumns,
  updateRecord,
  type TableDeps,
  type TableRef,
} from '#records/tables';
export type { TableScope, TableView } from '#db/data-table';
