/** Ends with 0 when the Inlay of this container may get requests. */
import { get } from 'node:http';

const port = process.env.INLAY_PORT || '4000';
get(`http://localhost:${port}/readyz`, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on(
  'error',
  () => process.exit(1),
);
