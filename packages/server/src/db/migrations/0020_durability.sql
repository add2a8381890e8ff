-- What a repetition of a try block and a limit have to know of sub-flows.
alter table child_execution
  -- the node waits for its end: the child is a part of its parent
  add column is_awaited boolean not null default false,
  -- `batch` with the first repetition of each try block in it: a later one finds the child of an earlier one by it
  add column first_batch text not null default '';

-- Several calls may come early: which of them brings the headers that the node asks for is known when it waits.
delete from wait_arrival;
alter table wait_arrival
  drop constraint wait_arrival_pkey,
  add column id text collate "C" primary key,
  -- path of the iteration that it is for; null: of whichever waits first
  add column batch text;
create index wait_arrival_node on wait_arrival (execution_id, node_id);
