/** One page of a list, as every list of the server is answered. */
export interface Page<T> {
  readonly docs: readonly T[];
  readonly totalDocs: number;
  readonly limit: number;
  readonly totalPages: number;
  readonly page: number;
  readonly hasPrevPage: boolean;
  readonly hasNextPage: boolean;
}
