// After `make start`: on an empty house the first subscriber's story is played, once; then what to try next is said.
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

const { items } = await tool('customer.list', { limit: 1 });
if (items.length === 0) {
  const played = spawnSync(
    process.execPath,
    ['node_modules/tsx/dist/cli.mjs', 'scenarios/run.ts', 'scenarios/story.yaml', '--show', '--against', url],
    { stdio: 'inherit', env: { ...process.env, AIRTIME_TOKEN: token } },
  );
  if (played.status !== 0) process.exit(played.status ?? 1);
}

process.stdout.write(`
Airtime serves at ${url}. Your operator token is in ${join(home, 'cli.json')}.

Now you: open the console and type these, Tab completes nouns, verbs and ids.

  node dist/bss.js

  offering list                                        what there is to sell
  customer register Grace Tan grace@example.com        sign somebody up
  card add cus_<Tab> tok_visa                          a test card
  order place cus_<Tab> PLAN_S                         sell a line; it asks, y does it
  usage record 65<Tab> data 4.5 GB                     use some, and see what is left
  subscription top-up sub_<Tab> VAS_DATA_1GB           buy some more
  trace ord_<Tab>                                      all that happened, in order
  top                                                  the day as it goes; q leaves
  subscription end sub_<Tab> --when now                end the line
  help                                                 what else; exit leaves

Behind each of them stands a verb that scripts can type: node dist/bss.js --help
To stop server and database: make stop
`);
