import { describe, expect, it } from 'vitest';
import { makeAlertJudge, type Standing } from './alerts.ts';

const setAt = new Date('2027-01-01T00:00:00Z');
const bucket = (used: number, granted: number | null = 100) => ({
  granted,
  remaining: granted === null ? null : granted - used,
  used,
  isOpen: true,
});

function standing(used: number, more: Partial<Standing> = {}): Standing {
  return {
    line: 'sub_1',
    kind: 'sms',
    period: 1,
    setAt,
    amount: null,
    percent: 50,
    buckets: [bucket(used)],
    records: used === 0 ? 0 : 1,
    news: 0,
    ...more,
  };
}

/** What is found in a life of one line, a look after each turn. */
function found(...life: readonly Standing[]): string | undefined {
  const judge = makeAlertJudge();
  try {
    for (const one of life) judge([one]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/: \{.*$/, '') : String(error);
  }
}

describe('the witness of alerts', () => {
  it.each<{ name: string; life: Standing[] }>([
    { name: 'above the mark', life: [standing(0), standing(49)] },
    { name: 'told at the mark', life: [standing(0), standing(50, { news: 1 })] },
    { name: 'once in a period', life: [standing(0), standing(50, { news: 1 }), standing(60, { news: 1, records: 2 })] },
    {
      name: 'and in the next one',
      life: [
        standing(0),
        standing(50, { news: 1 }),
        standing(0, { period: 2, news: 1 }),
        standing(70, { period: 2, news: 2 }),
      ],
    },
    { name: 'emptied by one record', life: [standing(0), standing(100)] },
    { name: 'emptied by the second of two', life: [standing(0), standing(100, { news: 1, records: 2 })] },
    { name: 'set when it is below', life: [standing(80, { setAt: null }), standing(80)] },
    {
      name: 'unlimited',
      life: [standing(0, { buckets: [bucket(0, null)] }), standing(9, { buckets: [bucket(9, null)] })],
    },
    {
      name: 'a part of all there is, in whole units',
      life: [
        standing(0, { percent: 33, buckets: [bucket(0), bucket(0, 1)] }),
        standing(67, { percent: 33, buckets: [bucket(67), bucket(0, 1)] }),
      ],
    },
  ])('is content: $name', ({ life }) => {
    expect(found(...life)).toBeUndefined();
  });

  it.each<{ what: string; life: Standing[] }>([
    { what: 'who asked is told', life: [standing(0), standing(50)] },
    {
      what: 'who asked is told',
      life: [standing(0, { amount: 10, percent: null }), standing(90, { amount: 10, percent: null })],
    },
    { what: 'told once in a period', life: [standing(0), standing(50, { news: 2 })] },
    { what: 'told once in a period', life: [standing(0), standing(50, { news: 1 }), standing(60, { news: 2 })] },
    { what: 'told only when a record leaves so little', life: [standing(0), standing(49, { news: 1 })] },
    { what: 'told only when a record leaves so little', life: [standing(80), standing(80, { news: 1 })] },
    {
      what: 'told only when a record leaves so little',
      life: [standing(0, { setAt: null }), standing(50, { setAt: null, news: 1 })],
    },
    {
      what: 'told only when a record leaves so little',
      life: [standing(80), standing(81, { setAt: new Date(setAt.getTime() + 1), news: 1 })],
    },
    { what: 'what is empty says so itself', life: [standing(0), standing(100, { news: 1 })] },
  ])('finds: $what', ({ what, life }) => {
    expect(found(...life)).toBe(`alerts: ${what}`);
  });
});
