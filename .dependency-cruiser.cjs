// The rooms and who may import whom: imports run downwards only. `npx depcruise --config .dependency-cruiser.cjs <rooms>`
// checks it, type-only imports included. doctrine/boundaries.test.ts plants a violation of each rule.

// Tests and what only tests use stand beside what they test and may look anywhere: the rooms are for what is shipped.
const tests = '(\\.test|\\.contract)\\.tsx?$|(^|/)testing[a-z-]*\\.tsx?$|(^|/)vitest-global-setup\\.ts$|^vitest\\.config\\.ts$';

const rooms = ['kernel', 'generated', 'policy', 'read', 'handlers', 'tools', 'surfaces', 'adapters', 'workers', 'app'];
const proofs = ['build', 'conformance', 'scenarios', 'simulation', 'doctrine', 'soak', 'bench', 'browser', 'deploy'];
const anyRoom = `^(${[...rooms, ...proofs].join('|')})/`;
/** The interfaces of the outside: files of adapters/ itself that are no implementation. */
const adapterInterfaces = '^adapters/(card-gateway|network|mail|callback|job-files|outcome)\\.ts$';

/** A room may import itself and what is named; everything else in the house is out of its reach. */
const room = (name, may, comment) => ({
  name: `room-${name}`,
  comment,
  severity: 'error',
  from: { path: `^${name}/`, pathNot: tests },
  to: { path: anyRoom, pathNot: [`^${name}/`, ...may] },
});

const forbidden = [
  room('kernel', [], 'The kernel is what every room may know: it knows no room.'),
  room('generated', [], 'Generated files know only each other.'),
  room('adapters', ['^kernel/', '^generated/'], 'The outside knows nothing of the house but the kernel.'),
  room(
    'policy',
    ['^kernel/', '^generated/', adapterInterfaces],
    'Policy knows the kernel, the contracts and the interfaces of the outside; never a sandbox, a surface or a worker.',
  ),
  room('read', ['^kernel/', '^generated/'], 'Reading needs no policy.'),
  room('handlers', ['^kernel/', '^generated/', '^policy/', '^read/'], 'A handler maps an operation to a command or a query.'),
  room('tools', ['^kernel/', '^generated/', '^policy/', '^read/'], 'A tool is made from its command or query.'),
  room('workers', ['^kernel/', '^policy/', '^read/', adapterInterfaces], 'A worker runs steps of policy.'),
  room('surfaces', ['^kernel/', '^generated/', '^read/', '^tools/', '^handlers/'], 'A surface lets callers in: it writes through tools or handlers only.'),
  {
    name: 'handlers-from-http-only',
    comment: 'Handlers speak the wire of TM Forum; only the HTTP door does.',
    severity: 'error',
    from: { path: '^surfaces/', pathNot: ['^surfaces/http/', tests] },
    to: { path: '^handlers/' },
  },
  {
    name: 'surfaces-are-apart',
    comment: 'One surface is not built on another. The start of the terminal hands `bss mcp` over to the one for agents.',
    severity: 'error',
    from: { path: '^surfaces/([^/]+)/', pathNot: [tests, '^surfaces/cli/start\\.ts$'] },
    to: { path: '^surfaces/', pathNot: '^surfaces/$1/' },
  },
  room(
    'app',
    [...rooms.map((one) => `^${one}/`), '^doctrine/invariants\\.ts$'],
    'The start may import every room, but no proof and nothing that builds; the invariants of the books are for operators too.',
  ),
  {
    name: 'proofs-through-public-doors',
    comment: 'Conformance, scenarios and browser see what a client sees: the contracts, and what a surface shows.',
    severity: 'error',
    from: { path: '^(conformance|scenarios|browser)/', pathNot: tests },
    to: { path: '^(policy|read|handlers|tools|workers|adapters|surfaces/http)/', pathNot: '^adapters/sandbox/' },
  },
  {
    name: 'proofs-do-not-lean-on-each-other',
    comment: 'Each proof stands by itself.',
    severity: 'error',
    from: { path: '^(conformance|scenarios|simulation|soak|bench|browser|deploy)/', pathNot: tests },
    to: { path: '^(conformance|scenarios|simulation|soak|bench|browser|deploy)/', pathNot: '^$1/' },
  },
  {
    name: 'no-cycle',
    comment: 'Two files that need each other are one file, or need a third.',
    severity: 'error',
    from: { path: anyRoom, pathNot: '^generated/prisma/' },
    to: { circular: true },
  },
  {
    name: 'writes-in-policy-only',
    comment: 'Rows, resources and events are written by commands. Types may be named elsewhere.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^policy/', '^doctrine/', tests] },
    to: { path: '^policy/core/(table|resource|event)\\.ts$', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'no-table-outside-policy',
    comment: 'The columns of a table are the business of policy, by name too.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^policy/', '^doctrine/', tests] },
    to: { path: '^policy/core/table\\.ts$' },
  },
  {
    name: 'database-driver',
    comment: 'Connections are made in app/database; the statements of policy need the driver’s parsers. Building has a database of its own, and what measures looks at the database beside the server.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^app/database/', '^policy/core/transaction\\.ts$', '^build/', '^doctrine/', '^bench/', tests] },
    to: { path: '(^|/)node_modules/(pg|@types/pg)(/|$)', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'database-connection',
    comment: 'A connection may be handed through: to policy, to reads, and to those that hold it for them.',
    severity: 'error',
    from: {
      path: anyRoom,
      pathNot: ['^(policy|read|app|build|doctrine|bench)/', '^handlers/wire\\.ts$', '^tools/registry\\.ts$', '^surfaces/http/documents\\.ts$', tests],
    },
    to: { path: '(^|/)node_modules/(pg|@types/pg)(/|$)' },
  },
  {
    name: 'prisma-client',
    comment: 'Executing through the model client costs 100 MB: only app/database loads it, when asked. Its types are for policy.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^app/database/', '^build/', '^generated/', tests] },
    to: {
      path: '(^|/)node_modules/@prisma/|^generated/prisma/',
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: 'prisma-types',
    comment: 'The columns of a table are the business of policy and of who reads them.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^(policy|read|app/database|build|generated)/', tests] },
    to: { path: '^generated/prisma/' },
  },
  {
    name: 'sandboxes-from-app-only',
    comment: 'Which outside there is, is decided at the start.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^(app|adapters|scenarios|simulation|soak|doctrine|build|bench|deploy)/', tests] },
    to: { path: '^adapters/sandbox/' },
  },
  {
    name: 'web-framework',
    comment: 'HTTP stays at its door.',
    severity: 'error',
    from: { path: anyRoom, pathNot: ['^surfaces/(http|docs|portal)/', '^conformance/', tests] },
    to: { path: '(^|/)node_modules/(@types/)?(express|helmet|openapi-backend)(/|$)' },
  },
  {
    name: 'no-tests-in-the-house',
    comment: 'What is shipped does not lean on what tests it.',
    severity: 'error',
    from: { path: `^(${rooms.join('|')})/`, pathNot: tests },
    to: { path: tests },
  },
  {
    name: 'shipped-packages',
    comment: 'What is shipped uses packages that are installed with it.',
    severity: 'error',
    from: { path: `^(${rooms.join('|')})/`, pathNot: [tests, '^generated/'] },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'resolvable',
    comment: 'Every import leads somewhere.',
    severity: 'error',
    from: { path: anyRoom },
    to: { couldNotResolve: true },
  },
];

module.exports = {
  forbidden,
  options: {
    // Packages are leaves, and so are the many generated validators: what they import is theirs.
    doNotFollow: { path: '(^|/)node_modules/|^generated/(validators|types|prisma)/' },
    exclude: { path: '^dist/' },
    moduleSystems: ['es6', 'cjs'],
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'], exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
