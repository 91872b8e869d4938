-- blocks_after --
-- Blocks from a position on, in commit order.
SELECT id, payload FROM blocks WHERE id >= ? ORDER BY id LIMIT ?;

-- first_block --
-- The oldest block that is kept.
SELECT min(id) FROM blocks;

-- last_block --
-- The newest block that there ever was.
SELECT seq FROM sqlite_sequence WHERE name = 'blocks';

-- block_since --
-- The oldest block from an instant on.
SELECT id FROM blocks WHERE at >= ? ORDER BY at, id LIMIT 1;

-- place_of_run --
-- The flow of a run and its outermost run.
SELECT flow, root_id FROM flow_runs WHERE id = ?;

-- blocks_before --
-- Blocks up to a position, the newest first.
SELECT id, payload FROM blocks WHERE id <= ? ORDER BY id DESC LIMIT ?;

-- newest_of_stream --
-- The newest block of a writer.
SELECT id FROM blocks WHERE stream = ? ORDER BY first_seq DESC LIMIT 1;

-- places_of_runs --
-- Name, flow and outermost run of some runs (a JSON array of ids).
SELECT id, name, flow, root_id FROM flow_runs WHERE id IN (SELECT value FROM json_each(?));
