import type { Rule } from '../core/rule.ts';

// Judged inside record_usage_batch, under the line's lock; here they have their names and sentences.
const judgedInDatabase = (code: string, sentence: string): Rule<never> => ({ code, sentence, kept: () => true });

export const usageRules: readonly Rule<never>[] = [
  judgedInDatabase('usage.readable', 'The record cannot be read as usage, or its usage date is none.'),
  judgedInDatabase('usage.kind_known', 'Usage is data, voice, SMS or roaming data.'),
  judgedInDatabase('usage.not_barred', 'International, premium and roaming calls and messages are barred.'),
  judgedInDatabase('usage.quantity_positive', 'Usage has an amount above zero in a known unit.'),
  judgedInDatabase('usage.not_in_future', 'The usage date has not come yet.'),
  judgedInDatabase(
    'usage.within_retention',
    'The usage date is older than source record ids are kept, so nobody can say that it was not counted before.',
  ),
  judgedInDatabase('usage.number_known', 'The number belongs to no line.'),
  judgedInDatabase('usage.line_active', 'The line was not active when this was used.'),
  judgedInDatabase('usage.roaming_on', 'Roaming of this line was switched off when this was used.'),
  judgedInDatabase('usage.allowance_left', 'This service of the line is stopped: its allowance is used up.'),
];

/** Set by who reads records: it is no JSON, no record, or has no usage date that is one. */
export const usageReadable = 'usage.readable';
/** Judged only when what is older than the retention is to be charged all the same. */
export const usageCountedOnce = judgedInDatabase('usage.counted_before', 'The same record was charged before.');

const sentences = Object.fromEntries([...usageRules, usageCountedOnce].map((one) => [one.code, one.sentence]));

/** All of them, as the database is told. */
export const usageSentences = JSON.stringify(sentences);

/** What a reader sees of a rule that refused a record. */
export const usageSentence = (code: string): string => sentences[code] ?? '';
