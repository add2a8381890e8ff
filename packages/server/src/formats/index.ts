export { columnNames, csvText, parseCsv, readEscapes, rowObject, tableOf, type Table } from '#formats/csv';
export { parseXml, stringifyXml } from '#formats/cxml';
export { runIsolated, type Sheet } from '#formats/isolated';
export { parseX12, stringifyX12 } from '#formats/x12';
