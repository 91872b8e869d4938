-- count_secrets --
-- How many secrets are sealed with the key of the home.
SELECT count(*) FROM secrets WHERE sealed IS NOT NULL;
