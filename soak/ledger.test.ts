import { expect, test } from 'vitest';
import type { Json } from '../kernel/json.ts';
import { Ledger } from './ledger.ts';

const path = '/usage';

function kept(): { ledger: Ledger; server: Map<string, Json> } {
  const ledger = new Ledger();
  const server = new Map<string, Json>();
  for (let number = 0; number < 1500; number += 1) {
    const document = { id: `usg_${number}`, status: 'rated', changing: number };
    ledger.add(path, document, ['id', 'status']);
    server.set(document.id, { ...document, changing: -1 });
  }
  return { ledger, server };
}

const reader =
  (server: Map<string, Json>) =>
  async (asked: string): Promise<Json | undefined> => {
    const { pathname, searchParams } = new URL(asked, 'http://localhost');
    if (pathname !== path) return server.get(pathname.slice(path.length + 1));
    const [limit, offset] = [Number(searchParams.get('limit')), Number(searchParams.get('offset'))];
    return [...server.values()].slice(offset, offset + limit);
  };

test('what is there as it was told is not lost, page after page', async () => {
  const { ledger, server } = kept();
  expect(await ledger.readAll(reader(server))).toEqual({ looked: 1500, lost: [] });
  expect(await ledger.readLast(20, reader(server))).toEqual({ looked: 20, lost: [] });
});

test('what is gone is lost, and what says something else now is too', async () => {
  const { ledger, server } = kept();
  server.delete('usg_1499');
  server.set('usg_1498', { id: 'usg_1498', status: 'rejected' });
  const lost = ['/usage/usg_1498: another status', '/usage/usg_1499 is not there'];
  expect((await ledger.readAll(reader(server))).lost).toEqual(lost);
  expect((await ledger.readLast(5, reader(server))).lost.sort()).toEqual(lost);
});
