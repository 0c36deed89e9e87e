import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/**
 * Whoever sits on the lonely side of a cut network with the old primary: writes to it, and tells what it acknowledged.
 * One line for each try: `acknowledged <n>` or `writable` or `refused`, with the time.
 */
const [url = '', from = '0'] = process.argv.slice(2);
const tell = (word: string) => process.stdout.write(`${Date.now()} ${word}\n`);

for (let number = Number(from); ; number += 1) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000, query_timeout: 1500 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const state = await client.query<{ replica: boolean }>('SELECT pg_is_in_recovery() AS replica');
    if (state.rows[0]?.replica === false) tell('writable');
    await client.query('INSERT INTO split_probe ("number") VALUES ($1)', [number]);
    tell(`acknowledged ${number}`);
  } catch {
    tell('refused');
  }
  await client.end().catch(() => undefined);
  await pause(100);
}
