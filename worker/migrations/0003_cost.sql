-- The same data for fewer billed rows: D1 counts every row written, every entry of an index, and every row read.

-- The totals of what was there before the trigger, and of what has come since.
INSERT OR REPLACE INTO transaction_months
SELECT user_id, substr(date, 1, 7), COUNT(*),
  SUM((type = 'income') * (amount_cents / 1000000)), SUM((type = 'income') * (amount_cents % 1000000)),
  SUM((type = 'expense') * (amount_cents / 1000000)), SUM((type = 'expense') * (amount_cents % 1000000))
FROM transactions GROUP BY 1, 2;

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
-- A row written for each, of which the free plan has 100,000 a day: a larger log is better thinned out before.
INSERT INTO audit_logs SELECT id, timestamp, category, action, user_id, metadata, created_at FROM audit_logs_with_counter;
-- Its indexes go with it.
DROP TABLE audit_logs_with_counter;

-- "User activity audit": newest first without sorting. Rows that belong to nobody are not in it.
CREATE INDEX idx_audit_logs_user_id ON audit_logs(user_id, timestamp) WHERE user_id IS NOT NULL;

-- "Recent security events". SQLite takes a partial index for a query that repeats its condition word by word, as that one does.
CREATE INDEX idx_audit_logs_security ON audit_logs(timestamp) WHERE category = 'security';

-- For a category that is bound. The rows of created transactions, by far the most, are not in it and cost nothing.
CREATE INDEX idx_audit_logs_category ON audit_logs(category, timestamp) WHERE category <> 'transaction';

-- Levels that the Worker itself never writes, so that asking for them is no scan.
CREATE INDEX idx_error_logs_other ON error_logs(level, timestamp) WHERE level <> 'error';

-- How much of an allowance is taken, as GCRA keeps it: the instant at which all of it is free again. Isolates agree through this
-- table on how often they write to KV.
CREATE TABLE IF NOT EXISTS allowances (
  name TEXT PRIMARY KEY NOT NULL,
  free_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
