-- breaking
-- Containers: loops and try blocks. Where a step stands is the path of the iterations around it, as text:
-- '' at the root, '5:12' in item 12 of loop 5, '5:12/9:0' in the first item of loop 9 in there.

alter table journal alter column batch drop default;
alter table journal alter column batch type text collate "C" using '';
alter table journal alter column batch set default '';

-- `batch` says how one iteration of a container ended: its node_id is the container, its batch the iteration itself.
alter table journal drop constraint journal_kind_check;
alter table journal add constraint journal_kind_check check (kind in ('start', 'outcome', 'batch'));
alter table journal drop constraint journal_status_check;
alter table journal add constraint journal_status_check check (status in
  ('success', 'errored', 'errored_and_skipped', 'rejected', 'stopped', 'timed_out', 'retrying',
   'partially_successful', 'terminated'));
-- position among the iterations of its container, from 0; only in rows of kind `batch`
alter table journal add column batch_index integer;
create index journal_batches on journal (execution_id, node_id, batch_index) where kind = 'batch';

alter table wait alter column batch drop default;
alter table wait alter column batch type text collate "C" using '';
alter table wait alter column batch set default '';
