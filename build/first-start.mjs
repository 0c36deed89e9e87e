// After `make start`: on an empty house the first subscriber's story is played, once; then what to try next is said.
// With real cards or a real network nothing is played: it would be charged, and be switched on.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const home = process.env.AIRTIME_HOME || '.airtime';
const { url, token } = JSON.parse(readFileSync(join(home, 'cli.json'), 'utf8'));

async function tool(name, input) {
  const response = await fetch(`${url}/tools/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${name}: ${answer.message ?? response.status}`);
  return answer.result;
}

const real = ['AIRTIME_CARD_GATEWAY', 'AIRTIME_NETWORK'].filter(
  (name) => (process.env[name] || 'sandbox') !== 'sandbox',
);
if (real.length > 0) {
  process.stdout.write(`
Airtime serves at ${url}. Your operator token is in ${join(home, 'cli.json')}.

By ${real.join(' and ')} it is connected to what is real, so no first subscriber is played. Load numbers and eSIM profiles, then sell:

  node dist/bss.js number load <first> <count>
  node dist/bss.js esim load --profiles @profiles.json

To stop server and database: make stop
`);
  process.exit(0);
}

const { items } = await tool('customer.list', { limit: 1 });
if (items.length === 0) {
  const played = spawnSync(
    process.execPath,
    ['node_modules/tsx/dist/cli.mjs', 'scenarios/run.ts', 'scenarios/story.yaml', '--show', '--against', url],
    { stdio: 'inherit', env: { ...process.env, AIRTIME_TOKEN: token } },
  );
  if (played.status !== 0) process.exit(played.status ?? 1);
}

// A test types the same session (scenarios/transcript.ts): what is promised here is what happens.
const session = JSON.parse(readFileSync(new URL('./first-session.json', import.meta.url), 'utf8'));
const wide = Math.max(...session.map(({ type }) => type.length)) + 3;

process.stdout.write(`
Airtime serves at ${url}. Your operator token is in ${join(home, 'cli.json')}.

Now you: open the console with

  node dist/bss.js

and type, where <Tab> is the key: it completes nouns, verbs and ids, and a name to its id.

${session.map(({ type, about }) => `  ${type.padEnd(wide)}${about}`).join('\n')}

Behind each of them stands a verb that scripts can type: node dist/bss.js --help
Subscribers sign up in a browser at ${url}/plans, and sandbox mail is read by node dist/bss.js mail list
The same things on a page, for a phone: node dist/bss.js desk
To stop server and database: make stop
`);
