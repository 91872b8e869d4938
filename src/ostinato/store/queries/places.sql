-- held_places --
-- Where servers keep stored values, each with when it was last alive.
SELECT name, value FROM facts WHERE name >= 'blobs ' AND name < 'blobs!';

-- let_go_of_place --
-- A server is gone.
DELETE FROM facts WHERE name = ?;
