import { describe, expect, it } from 'vitest';
import { importUsage } from './import-usage.ts';
import type { Terminal } from './terminal.ts';

interface Given {
  text: string;
  /** How the server answers each try; the last one stands for all that follow. */
  answers?: ((lines: string[]) => Response | Error)[];
}

const rated = (lines: string[]) =>
  new Response(
    lines
      .map((line, index) =>
        line.includes('broken')
          ? `${JSON.stringify({ line: index + 1, status: 'rejected', reason: 'usage.readable', message: 'no' })}\n`
          : `${JSON.stringify({ line: index + 1, id: `usg_${index}`, status: 'rated', charged: { amount: 1, units: 'MB' }, excess: { amount: 0, units: 'MB' } })}\n`,
      )
      .join(''),
  );

async function imported(path: string, { text, answers = [rated] }: Given, options = {}) {
  const sent: string[][] = [];
  let [out, error] = ['', ''];
  const terminal: Terminal = {
    folder: '/',
    env: { AIRTIME_URL: 'http://server', AIRTIME_TOKEN: 'air_x', NO_COLOR: '1' },
    isInputTty: false,
    isOutputTty: false,
    isErrorTty: false,
    columns: () => 80,
    out: (more) => {
      out += more;
    },
    error: (more) => {
      error += more;
    },
    readFile: () => '',
    readLines: async function* () {
      yield* text.split('\n');
    },
    ask: async () => undefined,
    pause: async () => true,
    fetch: async (_url, init) => {
      const lines = String(init?.body).trimEnd().split('\n');
      const answer = (answers[Math.min(sent.length, answers.length - 1)] ?? rated)(lines);
      sent.push(lines);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const code = await importUsage(path, options, terminal);
  return { code, out, error, sent };
}

const named = (id: string) => JSON.stringify({ msisdn: '65', kind: 'data', amount: 1, recordId: id });

describe('bss usage import', () => {
  it('sends CSV as records, and a broken line as it is', async () => {
    const text =
      'msisdn,kind,amount,unit,recordId\n6581000001,data,5,MB,a\n\n6581000002,"broken\n6581000003,sms,1,,c\n';
    const { code, out, error, sent } = await imported('july.csv', { text });
    expect(sent).toEqual([
      [
        '{"msisdn":"6581000001","kind":"data","amount":"5","unit":"MB","recordId":"a"}',
        '6581000002,"broken',
        '{"msisdn":"6581000003","kind":"sms","amount":"1","recordId":"c"}',
      ],
    ]);
    expect(out.split('\n').slice(0, 4)).toEqual([
      'line,source,recordId,id,status,reason,charged,excess,units,repeated',
      '2,,,usg_0,rated,,1,0,MB,',
      '4,,,,rejected,usage.readable,,,,',
      '5,,,usg_2,rated,,1,0,MB,',
    ]);
    expect(code).toBe(1);
    expect(error).toContain('1 refused: usage.readable');
  });

  it('sends large files in parts and numbers results by the lines of the file', async () => {
    const text = Array.from({ length: 12_000 }, (_, index) => named(String(index))).join('\n');
    const { code, out, error, sent } = await imported('-', { text });
    expect([code, sent.map((lines) => lines.length)]).toEqual([0, [5000, 5000, 2000]]);
    const lines = out.trimEnd().split('\n');
    expect([lines.length, JSON.parse(lines.at(-1) ?? '{}').line]).toEqual([12_000, 12_000]);
    expect(error).toContain('12,000 rated, 0 seen before');
  });

  it('sends again what was not answered whole, when that cannot count twice', async () => {
    const lost = () => new Error('socket hang up');
    const half = (lines: string[]) => rated(lines.slice(0, 1));
    const again = await imported('a.ndjson', { text: `${named('a')}\n${named('b')}`, answers: [lost, half, rated] });
    expect([again.code, again.sent.length, again.out.trimEnd().split('\n').length]).toEqual([0, 3, 2]);
    const once = await imported('a.ndjson', { text: '{"msisdn":"65"}', answers: [lost, rated] });
    expect([once.code, once.sent.length]).toEqual([1, 1]);
    expect(once.error).toContain('nothing after it was sent');
  });

  it('prints only what was refused when asked to, and says what the server refuses as a whole', async () => {
    const { out, error } = await imported('a.ndjson', { text: `${named('a')}\nbroken` }, { to: 'refused' });
    expect(out.trimEnd().split('\n')).toHaveLength(1);
    expect(error).toContain('1 records have no recordId');
    const refused = await imported('a.ndjson', {
      text: named('a'),
      answers: [() => new Response('{"reason": "forbidden", "message": "No scope."}', { status: 403 })],
    });
    expect([refused.code, refused.error.includes('No scope.')]).toEqual([1, true]);
    await expect(imported('a.txt', { text: '' }, { from: 'xml' })).rejects.toThrow('is none of');
  });
});
