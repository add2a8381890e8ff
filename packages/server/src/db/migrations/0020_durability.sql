-- What a repetition of a try block and a limit have to know of sub-flows.
alter table child_execution
  -- the node waits for its end: the child is a part of its parent
  add column is_awaited boolean not null default false,
  -- `batch` with the first repetition of each try block in it: a later one finds the child of an earlier one by it
  add column first_batch text not null default '';
