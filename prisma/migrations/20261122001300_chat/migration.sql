-- Conversations with an assistant, turn by turn: what was said, which tools were called, what it cost, how long it took.

-- CreateTable
CREATE TABLE "chat_session" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "customer_id" TEXT,
    "title" TEXT,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "chat_session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "chat_turn" (
    "id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "customer_id" TEXT,
    "state" TEXT NOT NULL,
    "person_text" TEXT NOT NULL,
    "person_at" TIMESTAMPTZ(3) NOT NULL,
    "reply_text" TEXT,
    "reply_at" TIMESTAMPTZ(3),
    "assistant" TEXT,
    "model" TEXT,
    "tool_calls" JSONB NOT NULL DEFAULT '[]',
    "input_tokens" INTEGER NOT NULL DEFAULT 0,
    "output_tokens" INTEGER NOT NULL DEFAULT 0,
    "cost_micros" BIGINT NOT NULL DEFAULT 0,
    "latency_ms" INTEGER,
    "case_id" TEXT,
    "transcript_hash" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "chat_turn_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "chat_session_owner_last_at_idx" ON "chat_session"("owner", "last_at");

-- CreateIndex
CREATE INDEX "chat_session_last_at_idx" ON "chat_session"("last_at");

-- CreateIndex
CREATE INDEX "chat_turn_owner_created_at_idx" ON "chat_turn"("owner", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "chat_turn_session_id_position_key" ON "chat_turn"("session_id", "position");

ALTER TABLE "chat_turn" ADD CONSTRAINT "chat_turn_cost_check" CHECK ("cost_micros" >= 0);

SELECT guard_table('chat_session');
SELECT guard_table('chat_turn');
