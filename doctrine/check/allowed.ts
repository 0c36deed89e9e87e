/**
 * What a check would refuse and the house allows, each with its reason. A key is the check, the file and what is found
 * there. One that nothing needs any more is a violation itself.
 */
export const allowed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'wall clock and randomness': {
    'policy/identity/access-token.ts: node:crypto randomBytes':
      'A token must not be guessed by anybody, so it comes from the machine and not from the seed of a simulation.',
    'policy/core/confirmation.ts: node:crypto randomBytes':
      'A confirmation must not be guessed by anybody, so it comes from the machine and not from the seed of a simulation.',
    'policy/session/secret.ts: node:crypto randomBytes':
      'A session must not be guessed by anybody, so it comes from the machine and not from the seed of a simulation.',
    'policy/session/secret.ts: node:crypto randomInt':
      'A code must not be guessed by anybody, so it comes from the machine and not from the seed of a simulation.',
    'surfaces/http/server.ts: process.hrtime': 'How long an answer took is a figure about the machine.',
    'surfaces/http/exchange.ts: node:crypto randomUUID': 'A request gets a name for the log; nothing is decided by it.',
    'surfaces/cli/connection.ts: node:crypto randomUUID':
      'The terminal makes the key under which its own retry is the same request.',
    'surfaces/mcp/seal.ts: node:crypto randomBytes': 'A nonce of AES-GCM, which must never come twice.',
    'tools/told.ts: node:crypto randomUUID':
      'The mark around what people wrote: they must not be able to guess it and close it themselves.',
    'surfaces/chat/instructions.ts: node:crypto randomUUID':
      'The mark around what a person says: they must not be able to guess it and close it themselves.',
    'adapters/language-model.ts: globalThis':
      'The library has its switch for warnings there; no clock is read and no lot drawn.',
    'surfaces/cli/import-usage.ts: Date.now':
      'How often the progress of an import is drawn, on the machine that draws it.',
    'surfaces/cli/import-rows.ts: Date.now':
      'How often the progress of an import is drawn, on the machine that draws it.',
    'surfaces/cli/waiting.ts: Date.now': 'How long somebody has waited at a terminal, on the machine that says so.',
    'surfaces/cli/console/console.ts: Date.now':
      'For how many seconds the completion of a prompt is good, on the machine where somebody types.',
    'surfaces/cli/console/console.ts: new Date()':
      'How long ago a conversation was had is told beside the clock of the person who reads it.',
    'adapters/sandbox/main.ts: new Date()': 'The sandbox is a process of its own: this is where its clock is made.',
    'adapters/sandbox/main.ts: node:crypto randomUUID': 'The sandbox is a process of its own: its ids are made here.',
    'adapters/local-job-files.ts: node:crypto randomUUID': 'The name of a draft that is renamed when it is whole.',
    'workers/worker.ts: node:crypto randomUUID': 'A worker’s name, by which its leases are told from another’s.',
    'workers/deliveries.ts: node:crypto randomUUID': 'A worker’s name, by which its leases are told from another’s.',
    'app/seed/seed.ts: Date.now': 'How far the first business time lies behind the wall clock is counted at the start.',
    'app/platform.ts: new Date()': 'The start makes the machine clock that all others are given.',
    'app/platform.ts: Date.now': 'The start makes the source of ids that all others are given.',
    'app/platform.ts: performance': 'How old the figures of a scrape are, on the machine that is asked.',
    'app/measures.ts: performance': 'How long work took is a figure about the machine.',
    'read/views/dashboard.ts: performance':
      'How old shared figures are, and how long reading them took: nothing of it is told or kept.',
    'app/telemetry.ts: performance': 'How often it is complained that nobody takes the traces.',
    'app/platform.ts: node:crypto randomFillSync': 'The start makes the source of ids that all others are given.',
    'app/platform.ts: node:crypto randomUUID':
      'The start gives the sandboxes their source of ids; the name of a draft that is renamed when it is whole.',
    'app/notifications.ts: node:crypto randomBytes': 'The secret that signs events is drawn once, by the machine.',
    'app/notifications.ts: node:crypto randomUUID': 'The name of a draft that is renamed when it is whole.',
    'app/main.ts: Date.now': 'Starting and stopping wait for processes in machine time.',
    'app/database/embedded-postgres.ts: Date.now': 'Starting and stopping wait for processes in machine time.',
    'app/database/embedded-postgres.ts: node:crypto randomBytes': 'Passwords and the names of drafts.',
    'app/database/migrate.ts: node:crypto randomUUID': 'The id that the list of migrations wants.',
  },
  'floating-point money': {
    'app/main.ts: toFixed': 'The seconds that a start took, for people.',
  },
  'wire types by hand': {
    'surfaces/http/problem.ts: a shape with @type':
      'The Error of TMF630 with our faults and facts in it; conformance holds every one against the contract.',
    'adapters/sandbox/card-gateway/sandbox-card-gateway.ts: a shape named Payment':
      'What a card gateway keeps of a payment, in its own book: no resource of TM Forum.',
  },
  'unbounded lists and loops': {
    'policy/notification/relay.ts: a read of hub without a key or a LIMIT':
      'Hubs are few, made by operators and integrators, and each batch is for all of them.',
    'policy/notification/relay.ts: a read of event without a key or a LIMIT':
      'After a restore what was not yet relayed is set aside once, in one statement that brings nothing here.',
    'policy/notification/replay.ts: a read of hub without a key or a LIMIT':
      'Hubs are few, and those that failed are fewer.',
    'read/views/event.ts: a read of flow_step without a key or a LIMIT':
      'Open steps of one order or one line: the subjects are found by its id in the statement before.',
    'read/views/books.ts: a read of bucket without a key or a LIMIT':
      'Books are compared whole, when an operator or a proof asks: what comes back is only what breaks them.',
    'read/views/books.ts: a read of payment without a key or a LIMIT':
      'Books are compared whole, when an operator or a proof asks: what comes back is only what breaks them.',
    'read/views/books.ts: a read of refund without a key or a LIMIT':
      'Books are compared whole, when an operator or a proof asks: what comes back is only what breaks them.',
    'read/views/books.ts: a read of customer_bill without a key or a LIMIT':
      'Books are compared whole, when an operator or a proof asks; our side is one row for each payment.',
    'read/views/stock.ts: a read of phone_number without a key or a LIMIT': 'One row for each state, counted.',
    'read/views/stock.ts: a read of esim_profile without a key or a LIMIT': 'One row for each state, counted.',
  },
};
