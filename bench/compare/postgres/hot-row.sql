-- The shop's usual way: the order, then the conditional update, so that the row lock is held only from
-- the update to the commit.
\set owner random(1, 2000000000)
BEGIN;
INSERT INTO orders (owner, stock_id, quantity) VALUES (:owner, 1, 1);
UPDATE stock SET available = available - 1 WHERE id = 1 AND available >= 1;
COMMIT;
