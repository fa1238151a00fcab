-- PostgreSQL's best case: the same in one round trip. Shown for fairness, no goal hangs on it.
\set owner random(1, 2000000000)
WITH taken AS (UPDATE stock SET available = available - 1 WHERE id = 1 AND available >= 1 RETURNING id)
INSERT INTO orders (owner, stock_id, quantity) SELECT :owner, id, 1 FROM taken;
