-- Work that failed and will be tried again: the watchdog looks for it every few seconds, and every line has a renewal that waits.
CREATE INDEX "flow_step_retrying" ON "flow_step" ("id") WHERE "state" = 'waiting' AND "last_error" IS NOT NULL;
