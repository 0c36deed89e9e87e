import { expect, test } from 'vitest';
import { identifiersIn, percentile, Watch } from './watch.ts';

const own = 'cus_01k8z3v7wq4m2n5p6r8s9t0abc';
const other = 'cus_01k8z3v7wq4m2n5p6r8s9t0xyz';

function watched(): Watch {
  const watch = new Watch();
  watch.owns(own, [own, 'canaryabcdefgh']);
  watch.owns(other, [
    other,
    'canaryzyxwvuts',
    '6581000042',
    'zoe@people.example',
    'LPA:1$sandbox.example$AIRTIME-0042',
    '8965000000000000042',
  ]);
  return watch;
}

test.each([
  ['an id', `{"owner":"${other}"}`],
  ['a planted word in a name', 'Dear Zoe Of canaryZYXWVUTS'],
  ['a number', 'call +6581000042 now'],
  ['an address at the end of a sentence', 'We wrote to zoe@people.example.'],
  ['an activation code', 'LPA:1$sandbox.example$AIRTIME-0042'],
  ['an ICCID', 'profile 8965000000000000042'],
])('%s of another is a leak, wherever it stands', (_, text) => {
  const watch = watched();
  watch.saw('pages', 'GET /account', own, `<p>${text}</p>`);
  expect(watch.leaks).toMatchObject([{ surface: 'pages', reader: own, owner: other }]);
});

test('what is the reader’s own is seen and no leak, and what the reader typed is known', () => {
  const watch = watched();
  watch.saw('tools', 'customer.show', own, `{"id":"${own}","name":"Ada Of canaryabcdefgh"}`);
  watch.saw('tools', 'customer.show', own, `There is no ${other}.`, [other]);
  expect([watch.leaks, watch.ownSeen, watch.scanned]).toEqual([[], 2, 2]);
});

test('what identifies nobody here is passed over', () => {
  const watch = watched();
  watch.saw('tmf', 'GET', own, 'ofr_01k8z3v7wq4m2n5p6r8s9t0abc 1234567890 nobody@else.example');
  expect(watch.leaks).toEqual([]);
  expect(identifiersIn('x 123456789 y')).toEqual([]);
});

test('a percentile is one of the values', () => {
  const values = Array.from({ length: 200 }, (_, place) => place + 1);
  expect([percentile(values, 50), percentile(values, 99), percentile(values, 100)]).toEqual([100, 198, 200]);
  expect([percentile([7], 99), percentile([], 99)]).toEqual([7, 0]);
});
