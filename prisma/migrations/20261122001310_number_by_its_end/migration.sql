-- Whose a number is that stands in a text, with its country's code or without: by its last eight figures.
CREATE INDEX "phone_number_end_idx" ON "phone_number" (right("msisdn", 8));
