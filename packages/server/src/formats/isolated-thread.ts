import { parentPort, workerData } from 'node:worker_threads';
import type { IsolatedTasks, TaskName } from '#formats/isolated';
import { editPdf } from '#formats/pdf';
import { readWorkbook, writeWorkbook } from '#formats/spreadsheet';

/** The entry of a thread of formats/isolated: one task, one answer. */
type Work = {
  [Name in TaskName]: (input: IsolatedTasks[Name]['input']) => Promise<IsolatedTasks[Name]['output']>;
};

const work: Work = {
  editPdf,
  readWorkbook: ({ bytes }) => readWorkbook(Buffer.from(bytes)),
  writeWorkbook: ({ sheets, hasFormulas }) => writeWorkbook(sheets, hasFormulas),
};

const { name, input } = workerData as { name: TaskName; input: never };
let answer: { output: unknown } | { fault: string };
try {
  answer = { output: await work[name](input) };
} catch (error) {
  // The text of the library, not its stack: it goes to the author of the workflow.
  answer = { fault: error instanceof Error ? error.message.slice(0, 300) : 'it cannot be read' };
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread of Node, not a window
parentPort?.postMessage(answer);
