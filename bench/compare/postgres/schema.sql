-- One hot row and the orders that are taken from it.
DROP TABLE IF EXISTS orders, stock;
CREATE TABLE stock (id integer PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0));
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL,
    stock_id integer NOT NULL,
    quantity integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO stock VALUES (1, 100000000);
VACUUM ANALYZE;
CHECKPOINT;
