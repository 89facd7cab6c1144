-- The same data for fewer billed rows: D1 counts every row written, every entry of an index, and every row read.

-- Totals by month, so that a dashboard or a report reads some rows and not all transactions of a user. Amounts are in whole
-- millions of cents and the rest, because a sum of cents may pass 2^53, where a JavaScript number is no longer exact.
CREATE TABLE IF NOT EXISTS transaction_months (
  user_id TEXT NOT NULL,
  -- YYYY-MM of the transactions' own date
  month TEXT NOT NULL,
  count INTEGER NOT NULL,
  income_millions INTEGER NOT NULL,
  income_rest INTEGER NOT NULL,
  expense_millions INTEGER NOT NULL,
  expense_rest INTEGER NOT NULL,
  PRIMARY KEY (user_id, month)
) WITHOUT ROWID;

INSERT INTO transaction_months
SELECT user_id, substr(date, 1, 7), COUNT(*),
  SUM(CASE type WHEN 'income' THEN amount_cents / 1000000 ELSE 0 END), SUM(CASE type WHEN 'income' THEN amount_cents % 1000000 ELSE 0 END),
  SUM(CASE type WHEN 'expense' THEN amount_cents / 1000000 ELSE 0 END), SUM(CASE type WHEN 'expense' THEN amount_cents % 1000000 ELSE 0 END)
FROM transactions GROUP BY 1, 2;

-- A trigger and not a statement of the Worker's: whatever adds a transaction, the totals follow in the same database transaction.
CREATE TRIGGER IF NOT EXISTS transactions_add_to_month AFTER INSERT ON transactions BEGIN
  INSERT INTO transaction_months VALUES (new.user_id, substr(new.date, 1, 7), 1,
    CASE new.type WHEN 'income' THEN new.amount_cents / 1000000 ELSE 0 END, CASE new.type WHEN 'income' THEN new.amount_cents % 1000000 ELSE 0 END,
    CASE new.type WHEN 'expense' THEN new.amount_cents / 1000000 ELSE 0 END, CASE new.type WHEN 'expense' THEN new.amount_cents % 1000000 ELSE 0 END)
  ON CONFLICT (user_id, month) DO UPDATE SET
    count = count + 1,
    income_millions = income_millions + excluded.income_millions, income_rest = income_rest + excluded.income_rest,
    expense_millions = expense_millions + excluded.expense_millions, expense_rest = expense_rest + excluded.expense_rest;
END;

-- Audit rows again without AUTOINCREMENT, whose counter is one more row with each insert. Ids still grow: only the oldest rows are
-- ever deleted.
ALTER TABLE audit_logs RENAME TO audit_logs_with_counter;
CREATE TABLE audit_logs (
  id INTEGER PRIMARY KEY,
  timestamp TEXT NOT NULL,
  category TEXT NOT NULL,
  action TEXT NOT NULL,
  user_id TEXT,
  metadata TEXT,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO audit_logs SELECT id, timestamp, category, action, user_id, metadata, created_at FROM audit_logs_with_counter;
-- Its indexes go with it.
DROP TABLE audit_logs_with_counter;

-- "User activity audit": newest first without sorting. Rows that belong to nobody are not in it.
CREATE INDEX idx_audit_logs_user_id ON audit_logs(user_id, timestamp) WHERE user_id IS NOT NULL;

-- "Recent security events". SQLite takes a partial index for a query that repeats its condition word by word, as that one does.
CREATE INDEX idx_audit_logs_security ON audit_logs(timestamp) WHERE category = 'security';

-- For a category that is bound. The rows of created transactions, by far the most, are not in it and cost nothing.
CREATE INDEX idx_audit_logs_category ON audit_logs(category, timestamp) WHERE category <> 'transaction';

-- How much of an allowance is taken, as GCRA keeps it: the instant at which all of it is free again. Isolates agree through this
-- table on how often they write to KV.
CREATE TABLE IF NOT EXISTS allowances (
  name TEXT PRIMARY KEY NOT NULL,
  free_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
