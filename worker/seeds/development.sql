-- Two users for trying the Worker on one's own machine.
--
-- Only the local simulator applies this file, and only in the environment `development`. It is no migration: it must never
-- reach a deployed database, because the passwords below are public.
--
--   demo  / demo-pass-9137    role user
--   admin / admin-pass-4821   role admin
INSERT OR IGNORE INTO users (id, username, password_hash, role) VALUES ('user-demo', 'demo', 'pbkdf2-sha256$5000$ZWRnZXByb29mLWRlbW8tMA$yTbfgvTL6NGQnCI8Z56o4S3_TKVnwLTyBo7pkzGlrJw', 'user');
INSERT OR IGNORE INTO users (id, username, password_hash, role) VALUES ('user-admin', 'admin', 'pbkdf2-sha256$5000$ZWRnZXByb29mLWFkbWluMQ$9b4rYx451SJo0A99-ZBvNcaY1xod91-d29HtbCvr2Ac', 'admin');
