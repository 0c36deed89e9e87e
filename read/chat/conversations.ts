import type { Pool } from 'pg';

export interface Conversation {
  id: string;
  startedAt: string;
  lastAt: string;
  title: string | null;
}

export interface Said {
  role: 'person' | 'assistant';
  text: string;
  at: string;
}

const conversationsMax = 50;
const turnsMax = 1000;

/** The conversations of one owner, the last one first. */
export async function listConversations(database: Pool, owner: string): Promise<Conversation[]> {
  const { rows } = await database.query<{ id: string; started: Date; last: Date; title: string | null }>(
    `SELECT "id", "started_at" AS started, "last_at" AS last, "title" FROM "chat_session" WHERE "owner" = $1
     ORDER BY "last_at" DESC, "id" DESC LIMIT ${conversationsMax}`,
    [owner],
  );
  return rows.map(({ id, started, last, title }) => ({
    id,
    startedAt: started.toISOString(),
    lastAt: last.toISOString(),
    title,
  }));
}

/**
 * What was said in a conversation, oldest first, and no more than the end of a very long one.
 * @param owner null only for a proof of what this guard is good for.
 * @returns undefined for one that there is not, or that is somebody else's.
 */
export async function readConversation(
  database: Pool,
  id: string,
  owner: string | null,
): Promise<{ id: string; turns: Said[] } | undefined> {
  const found = await database.query<{ id: string }>(
    'SELECT "id" FROM "chat_session" WHERE "id" = $1 AND ($2::text IS NULL OR "owner" = $2)',
    [id, owner],
  );
  if (found.rows.length === 0) return undefined;
  const { rows } = await database.query<{ person: string; asked: Date; reply: string | null; answered: Date | null }>(
    `SELECT "person_text" AS person, "person_at" AS asked, "reply_text" AS reply, "reply_at" AS answered
     FROM "chat_turn" WHERE "session_id" = $1 ORDER BY "position" DESC LIMIT ${turnsMax}`,
    [id],
  );
  const turns = rows
    .reverse()
    .flatMap(({ person, asked, reply, answered }): Said[] => [
      { role: 'person', text: person, at: asked.toISOString() },
      ...(reply === null || answered === null
        ? []
        : [{ role: 'assistant' as const, text: reply, at: answered.toISOString() }]),
    ]);
  return { id, turns };
}
