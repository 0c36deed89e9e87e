import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import type { AgentAnswer, AgentDoor, AgentTool } from '../../tools/agent-door.ts';
import { type Connection, callTool } from './connection.ts';
import { readVerbs } from './descriptors.ts';

const answerMsMax = 30_000;

/** The tools of a running server for an agent on this machine: what the profile's token opens, and nothing else. */
export function remoteDoor(connection: Connection, send: typeof fetch = fetch): AgentDoor {
  return {
    list: async () => {
      const response = await send(`${connection.url}/tools`, {
        headers: {
          accept: 'application/json',
          'user-agent': agentName,
          ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
        },
        redirect: 'error',
        signal: AbortSignal.timeout(answerMsMax),
      });
      if (!response.ok) throw new Error(`the server answered ${response.status}; see bss doctor`);
      const body: Json = JSON.parse(await response.text());
      const audience = audienceOf(response.headers.get('airtime-audience'));
      return { audience, tools: readTools(body) };
    },
    call: async (name, input, confirmation): Promise<AgentAnswer> => {
      const how = confirmation === undefined ? {} : { confirmation };
      const answer = await callTool(connection, name, input, send, { ...how, userAgent: agentName });
      switch (answer.outcome) {
        case 'proposed':
          if (answer.token === undefined) throw new Error('a proposal came without what confirms it');
          return { outcome: 'proposed', proposal: answer.proposal, token: answer.token };
        case 'unreachable':
          return { outcome: 'unreachable', message: `No server answers at ${connection.url}: ${answer.message}.` };
        default:
          return answer;
      }
    },
  };
}

/** The server writes down by which door a customer was served. */
const agentName = 'bss mcp';

function audienceOf(name: string | null): 'operator' | 'integrator' | 'customer' {
  const known = (['operator', 'integrator', 'customer'] as const).find((one) => one === name);
  if (!known) throw new Error('the server does not say whose tools these are: it is older than this program');
  return known;
}

function readTools(body: Json): AgentTool[] {
  if (!Array.isArray(body)) throw new Error('what answers there is not Airtime');
  return readVerbs(body).map((verb, index) => {
    const whole = body[index];
    const output: JsonObject =
      isJsonObject(whole) && isJsonObject(whole.output) ? whole.output : { type: 'object', additionalProperties: true };
    const { name, summary, effect, input, rules, examples } = verb;
    return { name, summary, effect, input, output, rules, examples };
  });
}
