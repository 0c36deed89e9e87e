import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster } from './database.ts';
import { runSeed } from './seed.ts';
import { makeTurns, type Task } from './turns.ts';

describe('turns', () => {
  it('move one task at a time, and only when told to', async () => {
    const turns = makeTurns();
    const said: string[] = [];
    const work = (name: string) => async (task: Task) => {
      said.push(`${name} begins`);
      await task.rest('half way');
      said.push(`${name} ends`);
    };
    const a = await turns.begin('a', work('a'));
    const b = await turns.begin('b', work('b'));
    expect([a.restsAt, b.restsAt]).toEqual(['half way', 'half way']);
    await turns.goOn(b);
    await turns.goOn(a);
    expect(said).toEqual(['a begins', 'b begins', 'b ends', 'a ends']);
    expect(a.restsAt).toBeUndefined();
    expect(() => turns.goOn(a)).toThrow('a has ended');
  });

  it('give a failure to whoever let the task go on, and never come back to one that vanished', async () => {
    const turns = makeTurns();
    const said: string[] = [];
    const fails = await turns.begin('fails', async (task) => {
      await task.rest('here');
      throw new Error('as planned');
    });
    await expect(turns.goOn(fails)).rejects.toThrow('as planned');
    const vanishes = await turns.begin('vanishes', async (task) => {
      await task.vanish();
      said.push('never');
    });
    expect([vanishes.restsAt, said]).toEqual([undefined, []]);
  });
});

describe('a seed', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await openCluster();
  });
  afterAll(() => cluster.close());

  it('is the same life each time, and another one than its neighbour’s', async () => {
    const [once, other, again] = [await runSeed(cluster, 7), await runSeed(cluster, 8), await runSeed(cluster, 7)];
    expect(once.violation).toBeUndefined();
    expect(again.trace).toEqual(once.trace);
    expect(again.hash).toBe(once.hash);
    expect(other.hash).not.toBe(once.hash);
    expect(once.trace.length).toBeGreaterThan(50);
  });
});
