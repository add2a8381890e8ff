import type { ReactNode } from 'react';

/** A list with a heading for each column; narrow screens show each row as a card. */
export function Table({ columns, children }: { columns: readonly string[]; children: ReactNode }) {
  return (
    <table className="table table-cards">
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}
