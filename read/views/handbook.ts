import { z } from 'zod';
import { searchHandbook } from '../handbook/handbook.ts';
import { query } from './query.ts';

export const handbookFound = z.object({
  items: z.array(
    z.object({
      cite: z.string().describe('What to quote: chapter#section'),
      chapter: z.string(),
      section: z.string(),
      text: z.string().describe('The section, as Markdown'),
    }),
  ),
});

export const searchHandbookView = query({
  name: 'handbook.search',
  summary: 'Search the handbook: how a thing is done here, with chapter and section to cite',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    words: z.string().min(1).max(200).describe('What to look for: renewal declined'),
    limit: z.number().int().min(1).max(10).default(3).describe('How many sections at most'),
  }),
  output: handbookFound,
  positional: ['words'],
  examples: ['bss handbook search "renewal declined"'],
  run: async (_database, { words, limit }) => ({ items: searchHandbook(words, limit) }),
});
