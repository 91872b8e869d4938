-- last_block --
-- The newest block: retention leaves it there.
SELECT coalesce(max(id), 0) FROM blocks;
