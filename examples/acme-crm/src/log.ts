/** Where the program says what went wrong. */
export type Log = (message: string) => void;
