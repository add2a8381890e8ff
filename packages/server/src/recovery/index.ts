export { changeQueue, createQueue, deleteQueue, getQueue, listQueues } from '#recovery/queues';
export { editContext, endMany, endRecord, getRecord, listRecords, type Selection } from '#recovery/records';
export { arrived, resend, resendMany, sendAgain } from '#recovery/resend';
export { recordsCsv } from '#recovery/export';
