-- Totals by month, so that a dashboard or a report reads some rows and not all transactions of a user: D1 bills rows read. The next
-- migration fills them; this one has nothing but the table and the trigger, so that nothing can be added in between.
--
-- Amounts are in whole millions of cents and the rest, because a sum of cents may pass 2^53, where a JavaScript number is no longer
-- exact.
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

-- A trigger and not a statement of the Worker's: whatever adds a transaction, the totals follow in the same database transaction. It
-- stands in one line and has no conditional expressions, because D1 is reported to cut a migration's text in the middle of either
-- (cloudflare/workers-sdk, issues 4326 and 4998).
CREATE TRIGGER IF NOT EXISTS transactions_add_to_month AFTER INSERT ON transactions BEGIN INSERT INTO transaction_months VALUES (new.user_id, substr(new.date, 1, 7), 1, (new.type = 'income') * (new.amount_cents / 1000000), (new.type = 'income') * (new.amount_cents % 1000000), (new.type = 'expense') * (new.amount_cents / 1000000), (new.type = 'expense') * (new.amount_cents % 1000000)) ON CONFLICT (user_id, month) DO UPDATE SET count = count + 1, income_millions = income_millions + excluded.income_millions, income_rest = income_rest + excluded.income_rest, expense_millions = expense_millions + excluded.expense_millions, expense_rest = expense_rest + excluded.expense_rest; END;
