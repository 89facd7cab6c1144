-- Users, transactions and logs.
--
-- D1 bills rows written, and every index on a table adds a row to each insert: an index is here only where a query of the API
-- needs it (src/sql.rs says which reads what).

CREATE TABLE IF NOT EXISTS users (
  id TEXT PRIMARY KEY NOT NULL,
  username TEXT NOT NULL UNIQUE,
  -- pbkdf2-sha256$<iterations>$<salt>$<hash>, see src/core/password.rs
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin'))
);

-- Rows are only ever added, never changed or deleted: the newest id of a user is the version of their data, which the cache
-- relies on. So the plain row id serves and AUTOINCREMENT, which would write a row of its own each time, is not needed.
CREATE TABLE IF NOT EXISTS transactions (
  id INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('income', 'expense')),
  amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
  description TEXT NOT NULL,
  date TEXT NOT NULL,
  created_at TEXT NOT NULL
);

-- Ends with the row id, as every index does: newest first needs no sorting.
CREATE INDEX IF NOT EXISTS idx_transactions_user_id ON transactions(user_id);

-- Error logs table
CREATE TABLE IF NOT EXISTS error_logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp TEXT NOT NULL,
  level TEXT NOT NULL,
  message TEXT NOT NULL,
  stack TEXT,
  metadata TEXT,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Audit logs table
CREATE TABLE IF NOT EXISTS audit_logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp TEXT NOT NULL,
  category TEXT NOT NULL,
  action TEXT NOT NULL,
  user_id TEXT,
  metadata TEXT,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX IF NOT EXISTS idx_error_logs_timestamp ON error_logs(timestamp);
CREATE INDEX IF NOT EXISTS idx_audit_logs_timestamp ON audit_logs(timestamp);
CREATE INDEX IF NOT EXISTS idx_audit_logs_user_id ON audit_logs(user_id);

-- For "recent security events". Partial: the rows of created transactions, by far the most, are not in it and cost nothing.
CREATE INDEX IF NOT EXISTS idx_audit_logs_category ON audit_logs(category) WHERE category <> 'transaction';

-- When an alert about the service itself was last sent: isolates agree through this table, so that one of them speaks.
CREATE TABLE IF NOT EXISTS alert_marks (
  key TEXT PRIMARY KEY NOT NULL,
  sent_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
