import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DesiredLine, Network, NetworkTask } from './network.ts';
import type { RequestRefusedCode } from './outcome.ts';

/** A network with what its contract needs to know about it. A test whose means are missing is skipped, by name. */
export interface NetworkUnderTest {
  network: Network;
  /** A line, number and profile that this network has never seen. */
  newLine(): { line: string; msisdn: string; iccid: string };
  newKey(): string;
  /** Makes the network refuse the next task of a line. */
  refuseNext?(line: string, permanent: boolean): Promise<unknown>;
  /** Stops the network and starts it again on the same book. */
  restart?(): Promise<Network>;
  close(): Promise<void>;
}

const inactive: DesiredLine = { state: 'inactive', data: false, voice: false, sms: false, roamingData: false };
const active: DesiredLine = { state: 'active', data: true, voice: true, sms: true, roamingData: false };
const blocked: DesiredLine = { ...active, data: false };
const terminated: DesiredLine = { ...inactive, state: 'terminated' };

/** The rules of `Network`, as tests that any network behind that door has to pass. */
export function networkContract(form: string, make: () => Promise<NetworkUnderTest>): void {
  describe(`network contract: ${form}`, () => {
    let subject: NetworkUnderTest;
    let network: Network;

    beforeEach(async () => {
      subject = await make();
      network = subject.network;
    });
    afterEach(() => subject.close());

    function task(of: { line: string; msisdn: string; iccid: string }, sequence: number, desired: DesiredLine) {
      return { key: subject.newKey(), ...of, sequence, desired } satisfies NetworkTask;
    }

    test('brings a line through its life and knows where it stands', async () => {
      const own = subject.newLine();
      expect(await network.line(own.line)).toBeUndefined();
      for (const [sequence, desired] of [inactive, active, blocked, active, terminated].entries()) {
        const asked = task(own, sequence, desired);
        const answer = await network.apply(asked);
        expect(answer).toEqual({
          outcome: 'confirmed',
          line: own.line,
          sequence,
          receivedAt: expect.any(Date),
          confirmedAt: expect.any(Date),
        });
        expect(await network.find(asked.key)).toEqual(answer);
        expect(await network.line(own.line)).toEqual({ ...own, ...desired, sequence, changedAt: expect.any(Date) });
      }
    });

    test('the same key with the same task gets the stored answer and changes nothing', async () => {
      const own = subject.newLine();
      const first = task(own, 1, active);
      const answer = await network.apply(first);
      await network.apply(task(own, 2, blocked));
      expect(await network.apply(first)).toEqual(answer);
      expect(await network.line(own.line)).toMatchObject({ sequence: 2, data: false });
    });

    test('the same key with another task is refused', async () => {
      const own = subject.newLine();
      const first = task(own, 1, active);
      await network.apply(first);
      await refuses('key_reused', network.apply({ ...first, sequence: 2 }));
      await refuses('key_reused', network.apply({ ...first, desired: blocked }));
      await refuses('key_reused', network.apply({ ...first, ...subject.newLine() }));
      expect(await network.line(own.line)).toMatchObject({ sequence: 1, data: true });
    });

    test('a hundred calls at once under one key have one effect and one answer', async () => {
      const own = subject.newLine();
      const asked = task(own, 1, active);
      const answers = await Promise.all(Array.from({ length: 100 }, () => network.apply(asked)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    });

    test('an older task never overwrites a newer one', async () => {
      const own = subject.newLine();
      await network.apply(task(own, 7, blocked));
      const late = task(own, 6, active);
      const answer = { outcome: 'superseded', line: own.line, sequence: 6, newestSequence: 7 };
      expect(await network.apply(late)).toEqual(answer);
      expect(await network.find(late.key)).toEqual(answer);
      expect(await network.apply(task(own, 7, active))).toMatchObject({ outcome: 'superseded' });
      expect(await network.line(own.line)).toMatchObject({ sequence: 7, data: false });
    });

    test('delivered in any order and twice, the highest sequence stands', async () => {
      const own = subject.newLine();
      const tasks = Array.from({ length: 30 }, (_, sequence) => task(own, sequence, sequence % 2 ? active : blocked));
      const shuffled = [...tasks, ...tasks].sort((a, b) => ((a.sequence * 7919) % 31) - ((b.sequence * 7919) % 31));
      await Promise.all(shuffled.map((each) => network.apply(each)));
      expect(await network.line(own.line)).toMatchObject({ sequence: 29, data: true });
    });

    test('a terminated line does not come back, and its number and profile may serve another', async () => {
      const own = subject.newLine();
      await network.apply(task(own, 1, active));
      const next = { ...subject.newLine(), msisdn: own.msisdn, iccid: own.iccid };
      const waiting = task(next, 1, inactive);
      expect(await network.apply(waiting)).toMatchObject({ outcome: 'refused', permanent: false });
      expect(await network.line(next.line)).toBeUndefined();
      await network.apply(task(own, 2, terminated));
      expect(await network.apply(task(own, 3, active))).toMatchObject({ outcome: 'refused', permanent: true });
      expect(await network.apply(waiting)).toMatchObject({ outcome: 'confirmed' });
    });

    test('a number and a profile are in one live line at most', async () => {
      const own = subject.newLine();
      const other = subject.newLine();
      await network.apply(task(own, 1, active));
      expect(await network.apply(task({ ...other, msisdn: own.msisdn }, 1, active))).toMatchObject({
        outcome: 'refused',
      });
      expect(await network.apply(task({ ...other, iccid: own.iccid }, 1, active))).toMatchObject({
        outcome: 'refused',
      });
      expect(await network.apply(task(other, 1, active))).toMatchObject({ outcome: 'confirmed' });
      const moved = { ...own, iccid: subject.newLine().iccid };
      expect(await network.apply(task(moved, 2, active))).toMatchObject({ outcome: 'confirmed' });
      const taker = { ...subject.newLine(), iccid: own.iccid };
      expect(await network.apply(task(taker, 1, active))).toMatchObject({ outcome: 'confirmed' });
    });

    test('a passing refusal is judged anew under the same key, a permanent one stands', async (context) => {
      const { refuseNext } = subject;
      if (refuseNext === undefined) return context.skip('cannot be made to refuse');
      const [own, other] = [subject.newLine(), subject.newLine()];
      await refuseNext(own.line, false);
      const passing = task(own, 1, active);
      const refused = await network.apply(passing);
      expect(refused).toMatchObject({ outcome: 'refused', permanent: false, code: expect.any(String) });
      expect(await network.find(passing.key)).toEqual(refused);
      expect(await network.line(own.line)).toBeUndefined();
      expect(await network.apply(passing)).toMatchObject({ outcome: 'confirmed' });

      const third = subject.newLine();
      await refuseNext(third.line, false);
      const raced = task(third, 1, active);
      expect(await network.apply(raced)).toMatchObject({ outcome: 'refused' });
      const answers = await Promise.all(Array.from({ length: 20 }, () => network.apply(raced)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]).toMatchObject({ outcome: 'confirmed' });

      await refuseNext(other.line, true);
      const final = task(other, 1, active);
      expect(await network.apply(final)).toMatchObject({ outcome: 'refused', permanent: true });
      expect(await network.apply(final)).toMatchObject({ outcome: 'refused', permanent: true });
      expect(await network.apply(task(other, 1, active))).toMatchObject({ outcome: 'confirmed' });
    });

    test('refuses a task that cannot be', async () => {
      const fine = task(subject.newLine(), 1, active);
      await refuses('invalid_request', network.apply({ ...fine, sequence: -1 }));
      await refuses('invalid_request', network.apply({ ...fine, sequence: 1.5 }));
      await refuses('invalid_request', network.apply({ ...fine, key: '' }));
      await refuses('invalid_request', network.apply({ ...fine, line: '' }));
      await refuses('invalid_request', network.apply({ ...fine, msisdn: 'my number' }));
      await refuses('invalid_request', network.apply({ ...fine, iccid: '89' }));
      expect(await network.find(fine.key)).toBeUndefined();
    });

    test('a restart forgets nothing', async (context) => {
      const { restart } = subject;
      if (restart === undefined) return context.skip('cannot be restarted');
      const own = subject.newLine();
      const asked = task(own, 4, active);
      const answer = await network.apply(asked);
      const line = await network.line(own.line);
      network = await restart();
      expect(await network.line(own.line)).toEqual(line);
      expect(await network.find(asked.key)).toEqual(answer);
      expect(await network.apply(asked)).toEqual(answer);
      expect(await network.apply(task(own, 3, blocked))).toMatchObject({ outcome: 'superseded' });
      expect(await network.apply(task({ ...subject.newLine(), msisdn: own.msisdn }, 1, active))).toMatchObject({
        outcome: 'refused',
      });
    });
  });
}

async function refuses(code: RequestRefusedCode, call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toMatchObject({ name: 'RequestRefused', code });
}
