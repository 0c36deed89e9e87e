import { createServer } from 'node:http';
import { z } from 'zod';
import { whyNotExternal } from '../external.ts';
import { openHouse } from '../house.ts';
import { copyLines, makeLine, numbersOf } from '../lines.ts';
import { percentile, timingOf } from '../load.ts';
import { milliseconds, NotMeasured, type Part, whole } from '../part.ts';
import { pause } from '../server.ts';

const counts = { whole: 20_000, short: 500 };
const waitMsMax = 120_000;
const sent = z.looseObject({ eventId: z.string(), eventTime: z.string() });

/** Events that reach a listener on this machine, from the stream of usage that made them. */
export const events: Part = {
  name: 'events',
  title: 'Events delivered',
  isByDatabase: true,
  async measure(kind, { isShort }) {
    const count = isShort ? counts.short : counts.whole;
    const house = await openHouse(kind, { AIRTIME_CALLBACK_ALLOW: 'loopback' });
    if (!house) throw new NotMeasured(whyNotExternal);
    const seen = new Set<string>();
    const ages: number[] = [];
    let repeated = 0;
    let first = 0;
    let last = 0;
    const listener = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        response.writeHead(201).end();
        const event = sent.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
        last = performance.now();
        first ||= last;
        if (seen.has(event.eventId)) repeated += 1;
        else ages.push(Date.now() - Date.parse(event.eventTime));
        seen.add(event.eventId);
      });
    });
    try {
      const pool = await house.pool();
      const server = house.server();
      await copyLines(pool, await makeLine(server, pool, 'PLAN_L'), 1000);
      const numbers = await numbersOf(pool);
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      const address = listener.address();
      if (address === null || typeof address === 'string') throw new Error('the listener has no port');
      const headers = { authorization: `Bearer ${server.token}` };
      const hub = await fetch(`${server.url}/tmf-api/usageManagement/v4/hub`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({
          callback: `http://127.0.0.1:${address.port}/`,
          query: 'eventType=UsageCreateEvent',
        }),
      });
      if (hub.status !== 201) throw new Error(`the hub was answered ${hub.status}: ${await hub.text()}`);
      const usageDate = new Date().toISOString();
      const records = Array.from({ length: count }, (_, index) => {
        const msisdn = numbers[index % numbers.length];
        return `${JSON.stringify({ msisdn, kind: 'data', amount: 1, unit: 'KB', usageDate, source: 'bench', recordId: String(index) })}\n`;
      });
      const answer = await fetch(`${server.url}/usage/stream`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-ndjson' },
        body: records.join(''),
      });
      const rated = (await answer.text()).split('"status":"rated"').length - 1;
      if (rated !== count) throw new Error(`${rated} of ${count} records were rated`);
      const until = Date.now() + waitMsMax;
      while (seen.size < count && Date.now() < until) await pause(20);
      if (seen.size < count)
        throw new Error(`${seen.size} of ${count} events were delivered within ${waitMsMax / 1000} s`);
      const rate = count / ((last - first) / 1000);
      ages.sort((a, b) => a - b);
      const age = timingOf(ages, 1);
      return {
        figures: [{ key: 'events.delivered', value: rate, unit: '/s', better: 'more' }],
        tables: [
          {
            title: 'One hub on loopback',
            head: ['', 'measured'],
            rows: [
              ['events delivered, each in a request that was answered 201', `${whole(rate)}/s`],
              ['events', whole(count)],
              ['sent twice', whole(repeated)],
              [
                'from the event to its arrival, p50 and p99',
                `${milliseconds(percentile(ages, 0.5))}, ${milliseconds(age.p99)}`,
              ],
            ],
            note: 'A stream of usage makes them faster than they are delivered, so the ages are those of a queue that fills and empties.',
          },
        ],
        promises: [],
      };
    } finally {
      listener.closeAllConnections();
      listener.close();
      await house.close();
    }
  },
};
