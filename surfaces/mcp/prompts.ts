export interface HousePrompt {
  name: string;
  title: string;
  description: string;
  arguments: readonly { name: string; description: string; required: boolean }[];
  /** The tools it leans on; without them it is not offered. */
  needs: readonly string[];
  text(given: Readonly<Record<string, string>>): string;
}

// Principle 3 of the house, for a model that may think a stopped line can be argued back to life.
const blocked =
  'A line that has used up its bundle is blocked at once; only its renewal or a top-up that the customer asks for brings it back. A charge that failed means no service.';

export const housePrompts: readonly HousePrompt[] = [
  {
    name: 'look-after-customer',
    title: 'Look after a customer',
    description: 'What a customer has, what is wrong, and what could be offered',
    arguments: [{ name: 'customer', description: 'Id, mail address or number of the customer', required: true }],
    needs: ['customer.list', 'customer.show', 'subscription.show'],
    text: ({ customer = '' }) =>
      [
        `Look after the customer ${JSON.stringify(customer)}.`,
        'Find them with customer.list unless this is an id, then read customer.show and subscription.show for each line.',
        'Say in a few sentences which lines they have, what is left, when they renew, and whether the card, an order or a ticket needs care.',
        `${blocked} Propose what helps; buy, refund or cancel nothing unless the person asks for it.`,
      ].join('\n'),
  },
  {
    name: 'explain-blocked-line',
    title: 'Explain a blocked line',
    description: 'Why a line is stopped and what brings it back',
    arguments: [{ name: 'subscription', description: 'Id of the line', required: true }],
    needs: ['subscription.show', 'usage.list'],
    text: ({ subscription = '' }) =>
      [
        `Explain why the line ${JSON.stringify(subscription)} is stopped.`,
        'Read subscription.show and usage.list; where you have event.trace, read the story of the line with it too.',
        `${blocked} Name the fact that stopped it, with its time, and the ways back with their prices from offering.list.`,
      ].join('\n'),
  },
];
