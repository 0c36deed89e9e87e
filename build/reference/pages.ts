import { testCards } from '../../adapters/sandbox/card-gateway/test-cards.ts';
import { apis } from '../../generated/operations.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { errors } from './errors.ts';
import { doorExamples } from './examples.ts';
import { idOf, markdown } from './markdown.ts';
import { html, inline, type Markup } from './markup.ts';
import type { Entry, Page } from './page.ts';
import type {
  ApiReference,
  Attribute,
  OperationReference,
  Reference,
  ResourceReference,
  TypeReference,
} from './reference.ts';

/** Every page of the reference, as data becomes text. `guide` is the text of docs/integrators.md. */
export function makePages(reference: Reference, guide: string): Page[] {
  return [
    indexPage(reference),
    guidePage(guide),
    ...reference.apis.map(apiPage),
    rulesPage(reference),
    errorsPage(),
    toolsPage(reference),
  ];
}

export const navigation: readonly Entry[] = [
  { href: 'index.html', text: 'APIs' },
  { href: 'guide.html', text: 'Guide' },
  { href: 'rules.html', text: 'Rules' },
  { href: 'errors.html', text: 'Errors' },
  { href: 'tools.html', text: 'Tools' },
];

const table = (heads: readonly string[], rows: readonly Markup[], label: string): Markup =>
  html`<div class="wide"><table aria-label="${label}"><thead><tr>${heads.map((head) => html`<th scope="col">${head}`)}<tbody>${rows}</table></div>\n`;

const example = (code: string): Markup => html`<figure class="example"><pre><code>${code}</code></pre></figure>\n`;

// The address is that of a server started with `make start`; the script puts this server's own in its place.
const setting = html`<figure class="example"><pre><code>export AIRTIME_URL=<span data-url>http://127.0.0.1:8080</span>
export TOKEN=…</code></pre></figure>\n`;

// ---- the index ----

function indexPage({ apis: all, rules, tools }: Reference): Page {
  const rows = all.map((api) => {
    const count = operationsOf(api).length;
    return html`<tr><td><a href="${api.api}.html"><code>${api.api}</code></a><td><a href="${api.api}.html">${api.title}</a><div class="dim">${api.about}</div><td>${api.version}<td class="number">${count}`;
  });
  const total = all.reduce((sum, api) => sum + operationsOf(api).length, 0);
  return {
    file: 'index.html',
    title: 'Reference for integrators',
    lead: `${all.length} TM Forum Open APIs, ${total} operations, ${rules.length} rules and ${tools.length} tools of this server.`,
    body: html`<h2 id="first-call">First call</h2>
<p>Set the address of the server and a token once per shell; every example then works as it is copied. The <a href="guide.html">guide</a> says where the token comes from, and what holds for every API.</p>
${setting}
${example(doorExamples.firstCall.request)}
<h2 id="apis">APIs</h2>
${table(['API', 'About', 'Version', 'Operations'], rows, 'APIs')}
<h2 id="documents">Documents</h2>
<p>The contracts as OpenAPI 3.0, to generate a client or a mock from: ${all.map(({ api }) => html`<a href="openapi/${api}.json"><code>${api}.json</code></a> `)}</p>
<p>Beside them: <a href="rules.html">every rule</a> by its code, <a href="errors.html">every error</a> with what to do about it, and <a href="tools.html">the tools door</a> that terminals and agents use.</p>
`,
    contents: [],
  };
}

function guidePage(guide: string): Page {
  const { title, body, sections } = markdown(guide);
  return {
    file: 'guide.html',
    title,
    lead: 'From a token to a working integration: what holds for every API of this server.',
    body,
    contents: sections.map(({ id, title: text }) => ({ href: `#${id}`, text })),
  };
}

// ---- an API ----

const operationsOf = (api: ApiReference): readonly OperationReference[] => [
  ...api.resources.flatMap((resource) => resource.operations),
  ...api.hub,
];

function apiPage(api: ApiReference): Page {
  const links = (list: readonly OperationReference[]): Entry[] =>
    list.map(({ operation }) => ({ href: `#${operation.operationId}`, text: operation.operationId, isCode: true }));
  const served = operationsOf(api);
  const missing = served.filter((one) => one.isMissing);
  return {
    file: `${api.api}.html`,
    title: `${api.api} ${api.title}`,
    lead: api.about,
    body: html`<dl class="facts">
<dt>Version<dd>${api.version}
<dt>Base path<dd>${api.basePaths.map((path) => html`<code>${path}</code> `)}
<dt>Served<dd>${served.length - missing.length} of ${served.length + api.unserved.length} operations
<dt>Document<dd><a href="openapi/${api.api}.json"><code>${api.api}.json</code></a>, OpenAPI 3.0
<dt>Token<dd>scope <code>tmf:${api.api}</code>
</dl>
<p>Examples need <code>AIRTIME_URL</code> and <code>TOKEN</code> to be set, once per shell: see the <a href="guide.html">guide</a>.</p>
${api.resources.map((resource) => resourceSection(resource))}
<section aria-labelledby="hub">
<h2 id="hub">Notifications</h2>
<p>A subscriber registers a callback and is then sent each event of this API as a POST, again until it answers with a status in the two hundreds. The <a href="guide.html#be-told-notifications">guide</a> has the details.</p>
${api.hub.map(operationArticle)}
</section>
${
  api.unserved.length > 0 &&
  html`<section aria-labelledby="unserved">
<h2 id="unserved">Not served</h2>
<p>The contract has these operations, and this server declines them on purpose.</p>
${table(
  ['Operation', 'Path', 'Why'],
  api.unserved.map(
    ({ operation, reason }) =>
      html`<tr id="${operation.operationId}"><td><code>${operation.operationId}</code><td>${operation.method.toUpperCase()} <code>${operation.path}</code><td>${inline(reason)}`,
  ),
  'Operations not served',
)}</section>
`
}<section aria-labelledby="types">
<h2 id="types">Types</h2>
${api.types.map(typeDetails)}
</section>
<section aria-labelledby="deviations">
<h2 id="deviations">Deviations</h2>
<p>Where this contract departs from the official document on purpose. A build fails where it departs anywhere else.</p>
${api.deviations.map(
  ({
    id,
    reason,
    places,
    contract,
    official,
  }) => html`<details><summary><code>${id}</code> <span>${reason}</span></summary>
<p>At ${places.map((place, index) => html`${index > 0 && ', '}<code>${place}</code>`)}.</p>
${contract !== undefined && html`<p>Here:</p><pre><code>${JSON.stringify(contract, null, 2)}</code></pre>`}
${official !== undefined && html`<p>In the official document:</p><pre><code>${JSON.stringify(official, null, 2)}</code></pre>`}
</details>\n`,
)}
</section>
`,
    contents: [
      ...api.resources.map((resource) => ({
        href: `#${resource.name}`,
        text: resource.name,
        isCode: true,
        below: links(resource.operations),
      })),
      { href: '#hub', text: 'Notifications', below: links(api.hub) },
      ...(api.unserved.length > 0 ? [{ href: '#unserved', text: 'Not served' }] : []),
      { href: '#types', text: 'Types' },
      { href: '#deviations', text: 'Deviations' },
    ],
  };
}

function resourceSection(resource: ResourceReference): Markup {
  const { name, about, type, operations, events, stateProperty } = resource;
  return html`<section aria-labelledby="${name}">
<h2 id="${name}"><code>${name}</code></h2>
<p>${inline(about)}${stateProperty !== null && html` Its state is <code>${stateProperty}</code>.`}</p>
<details class="attributes" open><summary>${type.attributes.length} attributes</summary>
${attributeTable(type)}</details>
${operations.map(operationArticle)}
${
  events.length > 0 &&
  html`<h3 id="${name}-events">Events</h3>
${table(
  ['Event', 'Listener path', 'When'],
  events.map((event) => html`<tr><td><code>${event.name}</code><td><code>${event.path}</code><td>${event.about}`),
  `Events of ${name}`,
)}`
}
</section>
`;
}

function attributeTable(type: TypeReference): Markup {
  const isResource = type.attributes.some((one) => one.create !== undefined || one.isPatchable !== undefined);
  const heads = ['Attribute', 'Type', ...(isResource ? ['A client may'] : []), 'Meaning'];
  const rows = type.attributes.map((attribute) => {
    const { name, about, isRequired } = attribute;
    return html`<tr><td><code>${name}</code>${!isResource && isRequired && html` <b>required</b>`}<td>${typeText(attribute)}${isResource && html`<td class="dim">${writes(attribute)}`}<td>${inline(about)}`;
  });
  return table(heads, rows, `Attributes of ${type.name}`);
}

/** What a client may do with an attribute of a resource, in words that need no heading. */
function writes({ create, isPatchable }: Attribute): Markup {
  const at = [
    ...(create === 'required' ? [html`create <b>(required)</b>`] : create === 'set' ? [html`create`] : []),
    ...(isPatchable ? [html`patch`] : []),
  ];
  return at.length > 0 ? html`${at.map((one, index) => html`${index > 0 && ', '}${one}`)}` : html`only read`;
}

function typeText({ type, link, isList, values }: Attribute): Markup {
  const one = link ? html`<a href="#type-${link}">${type}</a>` : html`${type}`;
  return html`${isList && 'list of '}${one}${values.length > 0 && html`: ${words(values)}`}`;
}

// A value may end in a space, by a slip of the official documents: it is shown with quotation marks.
const words = (values: readonly string[]): Markup =>
  html`${values.map((value, index) => html`${index > 0 && ', '}<code>${value.trim() === value ? value : JSON.stringify(value)}</code>`)}`;

function typeDetails(type: TypeReference): Markup {
  const content = type.values
    ? html`<p id="type-${type.name}">${words(type.values)}</p>`
    : html`<div id="type-${type.name}">${type.attributes.length > 0 ? attributeTable(type) : html`<p>Any value.</p>`}</div>`;
  return html`<details><summary><code>${type.name}</code> <span>${type.about}</span></summary>\n${content}</details>\n`;
}

function operationArticle(one: OperationReference): Markup {
  const { operation, path, summary, about, parameters, body, answers, rules, isRefusalKept, isMissing } = one;
  const id = operation.operationId;
  const good = answers.filter(({ status }) => status.startsWith('2'));
  const bad = answers.filter(({ status }) => /^[45]/.test(status));
  return html`<article aria-labelledby="${id}">
<h3 id="${id}"><span class="verb ${operation.method}">${operation.method.toUpperCase()}</span> <code>${path}</code> <a class="anchor" href="#${id}" aria-label="Link to ${id}">#</a></h3>
<p>${summary}. <span class="dim"><code>${id}</code></span></p>
${about.replace(/\.$/, '') !== summary && html`<p>${inline(about)}</p>\n`}${isMissing && html`<p><b>Not served by this version:</b> it is answered 501.</p>\n`}${
  parameters.length > 0 &&
  html`<details><summary>${parameters.length} ${parameters.length === 1 ? 'parameter' : 'parameters'}: ${parameters.map((parameter) => parameter.name).join(', ')}</summary>
${table(
  ['Name', 'In', 'Type', 'Meaning'],
  parameters.map(
    (parameter) =>
      html`<tr><td><code>${parameter.name}</code>${parameter.isRequired && html` <b>required</b>`}<td>${parameter.in}<td>${parameter.type}<td>${inline(parameter.about)}`,
  ),
  `Parameters of ${id}`,
)}</details>\n`
}${body.length > 0 && html`<p>Takes ${body.map((media, index) => html`${index > 0 && ', '}<code>${media}</code>`)}.</p>\n`}<p>Answers ${good.map(
    ({ status, about: meaning, headers }, index) =>
      html`${index > 0 && '; '}<b>${status}</b> ${meaning.replace(/\.$/, '')}${headers.length > 0 && html` (with ${headers.map((header, at) => html`${at > 0 && ', '}<code>${header}</code>`)})`}`,
  )}. Errors: ${bad.map(({ status }) => html`<a href="errors.html#s${status}">${status}</a> `)}</p>
${
  rules.length > 0 &&
  html`<details><summary>${rules.length === 1 ? '1 rule' : `${rules.length} rules`} may refuse it</summary>
${isRefusalKept && html`<p>A refusal is kept: the resource is created in a state that says so, with the code and the sentence of the rule in it.</p>`}<ul class="rules">${rules.map(
    (rule) =>
      html`<li><a href="rules.html#${rule.code}"><code>${rule.code}</code></a>${!isRefusalKept && html` <span class="dim">${rule.status}</span>`} ${rule.sentence}`,
  )}</ul></details>\n`
}${exampleFigure(one)}</article>
`;
}

function exampleFigure({
  example: { preparation, prepared, request, statuses, note },
  isMissing,
  operation,
}: OperationReference): Markup {
  const expected = isMissing ? '501' : statuses.join(' or ');
  return html`<figure class="example" aria-label="Example of ${operation.operationId}">
${prepared.length > 0 && html`<details><summary>First: ${prepared.join(', ')}</summary><pre><code>${preparation}</code></pre></details>`}<pre><code>${request}</code></pre>
<figcaption>Answers ${expected}.${note && html` ${inline(note)}`}</figcaption></figure>
`;
}

// ---- rules, errors, tools ----

function rulesPage({ rules }: Reference): Page {
  const groups = new Map<string, Markup[]>();
  for (const { code, sentences, status, operations, tools } of rules) {
    const group = code.split('.')[0] ?? code;
    const row = html`<tr id="${code}"><td><code>${code}</code><td>${sentences.join(' Or: ')}<td>${status}<td class="dim">${operations.map(({ api, operationId }) => html`<a href="${api}.html#${operationId}">${api} ${operationId}</a> `)}${tools.map((tool) => html`<a href="tools.html#${tool}">${tool}</a> `)}${operations.length + tools.length === 0 && (code.startsWith('chat.') ? 'what is said to the assistant' : 'every request with a body')}`;
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  return {
    file: 'rules.html',
    title: 'Rules',
    lead: 'Every write is a named command, checked by named rules. These are all of them.',
    body: html`<p>A broken rule is answered with its code as <code>reason</code>, its sentence as <code>message</code>, and what it was judged on under <code>facts</code>: status 409 where the state of a resource stands in the way, 422 otherwise. Product orders, payments and usage are kept instead, in a state that says so.</p>
${[...groups].map(
  ([group, rows]) =>
    html`<h2 id="${idOf(group)}"><code>${group}</code></h2>\n${table(['Rule', 'Says', 'Status', 'Met at'], rows, `Rules of ${group}`)}`,
)}`,
    contents: [...groups.keys()].map((group) => ({ href: `#${idOf(group)}`, text: group, isCode: true })),
  };
}

function errorsPage(): Page {
  const brokenRule = html`<p>A rule was broken: its code is the reason. <a href="rules.html">All rules.</a></p>
`;
  const statuses = [...new Set(errors.map((one) => one.status))];
  return {
    file: 'errors.html',
    title: 'Errors',
    lead: 'Every error has one shape, whoever made it, and a reason that programs can rely on.',
    body: html`<h2 id="shape">Shape</h2>
<p>Every answer from 400 up is the Error of TM Forum, as <code>application/json</code>. <code>reason</code> is stable and short; <code>message</code> is for people and may change. <code>fault</code> lists what was wrong in a body or a query, <code>facts</code> what a rule was judged on. Give the operator the <code>X-Request-Id</code> of the answer when you ask about one.</p>
${example(doorExamples.error.request)}
<pre><code>${JSON.stringify(
      {
        '@type': 'Error',
        code: '404',
        reason: 'notFound',
        message: 'There is no customer cus_unknown.',
        status: '404',
        referenceError: 'https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5',
        facts: { resource: 'customer', id: 'cus_unknown' },
      },
      null,
      2,
    )}</code></pre>
<p>A broken <a href="rules.html">rule</a> has the code of the rule as its reason, with status 409 or 422.</p>
<h2 id="reasons">Reasons</h2>
${statuses.map(
  (status) =>
    html`<h3 id="s${status}">${status}</h3>\n${status === 422 ? brokenRule : ''}${table(
      ['Reason', 'When', 'What to do'],
      errors
        .filter((one) => one.status === status)
        .map((one) => html`<tr><td><code>${one.reason}</code><td>${inline(one.when)}<td>${inline(one.remedy)}`),
      `Reasons of ${status}`,
    )}`,
)}
`,
    contents: [
      { href: '#shape', text: 'Shape' },
      {
        href: '#reasons',
        text: 'Reasons',
        below: statuses.map((status) => ({ href: `#s${status}`, text: String(status) })),
      },
    ],
  };
}

function toolsPage({ tools }: Reference): Page {
  const nouns = new Map<string, Reference['tools'][number][]>();
  for (const tool of tools) {
    const noun = tool.name.split('.')[0] ?? tool.name;
    nouns.set(noun, [...(nouns.get(noun) ?? []), tool]);
  }
  return {
    file: 'tools.html',
    title: 'Tools',
    lead: 'The door that the terminal and agents use: every capability as one named call.',
    body: html`<h2 id="calls">Calls</h2>
<p><code>GET /tools</code> lists the tools that the token may use, with their inputs as JSON Schema. <code>POST /tools/{name}</code> runs one and answers <code>{"result": …}</code>; its body is the input. A tool that moves money or destroys answers <code>{"proposal": …, "confirmation": {"token": …}}</code> first and has done nothing: send the same body again with the token in <code>Confirmation-Token</code>, within five minutes. <code>POST /tools/{name}/preview</code> answers the proposal alone. The scope of a tool is <code>tools:</code> and its name, and <code>tools:*</code> opens all. <code>Idempotency-Key</code> and errors are as at every other door. Money is in minor units here.</p>
${example(doorExamples.toolList.request)}${example(doorExamples.tool.request)}
<h2 id="test-cards">Test cards</h2>
<p>The sandbox gateway knows these tokens, and others that begin with one of them: <code>tok_visa_2</code> is another card that behaves alike. What a sandbox does next is planned by <a href="#card_gateway.plan_fault"><code>card_gateway.plan_fault</code></a> and <a href="#network.plan_fault"><code>network.plan_fault</code></a>.</p>
${table(
  ['Token', 'What happens'],
  testCards.map((card) => html`<tr><td><code>${card.token}</code><td>${card.summary}`),
  'Test cards',
)}
${[...nouns].map(([noun, list]) => html`<h2 id="${idOf(noun)}"><code>${noun}</code></h2>\n${list.map(toolArticle)}`)}`,
    contents: [
      { href: '#calls', text: 'Calls' },
      { href: '#test-cards', text: 'Test cards' },
      ...[...nouns.keys()].map((noun) => ({ href: `#${idOf(noun)}`, text: noun, isCode: true })),
    ],
  };
}

function toolArticle(tool: Reference['tools'][number]): Markup {
  const { name, summary, audience, effect, input, rules, examples } = tool;
  const required = Array.isArray(input.required) ? input.required : [];
  const inputs = Object.entries(isJsonObject(input.properties) ? input.properties : {});
  return html`<article aria-labelledby="${name}">
<h3 id="${name}"><span class="verb ${effect}">${effect}</span> <code>${name}</code> <a class="anchor" href="#${name}" aria-label="Link to ${name}">#</a></h3>
<p>${inline(summary)}. <span class="dim">For ${audience.join(', ')}.</span></p>
${
  inputs.length > 0 &&
  table(
    ['Input', 'Type', 'Meaning'],
    inputs.map(([key, value]) => {
      const schema = isJsonObject(value) ? value : {};
      const about = typeof schema.description === 'string' ? schema.description : '';
      return html`<tr><td><code>${key}</code>${required.includes(key) && html` <b>required</b>`}<td>${inputType(schema)}<td>${inline(about)}`;
    }),
    `Input of ${name}`,
  )
}${
  rules.length > 0 &&
  html`<details><summary>${rules.length === 1 ? '1 rule' : `${rules.length} rules`} may refuse it</summary><ul class="rules">${rules.map((rule) => html`<li><a href="rules.html#${rule.code}"><code>${rule.code}</code></a> ${rule.sentence}`)}</ul></details>`
}${examples.length > 0 && html`<pre><code>${examples.join('\n')}</code></pre>`}
</article>
`;
}

function inputType(schema: JsonObject): string {
  if (Array.isArray(schema.enum)) return schema.enum.join(', ');
  if (schema.type === 'array') return `list of ${isJsonObject(schema.items) ? inputType(schema.items) : 'any'}`;
  const variants = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(variants)) return variants.map((one) => (isJsonObject(one) ? inputType(one) : 'any')).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  return Array.isArray(schema.type) ? schema.type.join(' or ') : typeof schema.type === 'string' ? schema.type : 'any';
}

// ---- the search ----

export interface SearchEntry {
  readonly text: string;
  readonly kind: string;
  readonly href: string;
}

/** What the search finds, by the words that people would type. */
export function searchEntries({ apis: all, rules, tools }: Reference): SearchEntry[] {
  return [
    ...apis.map(({ api, title }) => ({ text: `${api} ${title}`, kind: 'API', href: `${api}.html` })),
    ...all.flatMap((api) => [
      ...api.resources.map(({ name }) => ({ text: name, kind: api.api, href: `${api.api}.html#${name}` })),
      ...operationsOf(api).map(({ operation }) => ({
        text: operation.operationId,
        kind: api.api,
        href: `${api.api}.html#${operation.operationId}`,
      })),
      ...api.resources.flatMap((resource) =>
        resource.events.map(({ name }) => ({
          text: name,
          kind: api.api,
          href: `${api.api}.html#${resource.name}-events`,
        })),
      ),
      ...api.types.map(({ name }) => ({ text: name, kind: `${api.api} type`, href: `${api.api}.html#type-${name}` })),
    ]),
    ...rules.map(({ code, sentences }) => ({
      text: `${code}: ${sentences.join(' ')}`,
      kind: 'rule',
      href: `rules.html#${code}`,
    })),
    ...errors.map(({ status, reason }) => ({
      text: `${status} ${reason}`,
      kind: 'error',
      href: `errors.html#s${status}`,
    })),
    ...tools.map(({ name, summary }) => ({ text: `${name}: ${summary}`, kind: 'tool', href: `tools.html#${name}` })),
  ];
}
