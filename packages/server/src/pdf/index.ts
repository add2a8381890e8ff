export { createPrintPdf, type PrintPdf } from '#pdf/render';
