import { JobFileError, type JobFiles } from '../../adapters/job-files.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { cutText, keepableText } from '../../kernel/text.ts';
import type { AnyCommand } from '../core/command.ts';
import { type StepContext, type StepDefinition, schedule } from '../core/flow.ts';
import { machine, must } from '../core/machine.ts';
import { text } from '../core/party.ts';
import {
  documentOf,
  lockResource,
  type ResourceCommands,
  type ResourceDefinition,
  type ResourceFacts,
  resourceCommands,
  type Stored,
  saveResource,
} from '../core/resource.ts';
import { firstBroken, rule } from '../core/rule.ts';
import { findRow } from '../core/table.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import {
  catalogCommands,
  categoryCommands,
  productOfferingCommands,
  productOfferingPriceCommands,
  productSpecificationCommands,
} from './commands.ts';
import { fromCsv, toCsv } from './csv.ts';

/** TMF620: a job is created, run and ended. What it came to is for good. */
export const jobMachine = machine({
  name: 'job',
  initial: ['Not Started'],
  table: {
    'Not Started': { start: 'Running' },
    Running: { succeed: 'Succeeded', fail: 'Failed' },
    Succeeded: {},
    Failed: {},
  },
});

export const exportJobResource: ResourceDefinition<'exportJob'> = {
  resource: 'exportJob',
  api: 'TMF620',
  table: 'exportJob',
  prefix: 'exp',
  machine: jobMachine,
  clientEvents: [],
};

export const importJobResource: ResourceDefinition<'importJob'> = {
  resource: 'importJob',
  api: 'TMF620',
  table: 'importJob',
  prefix: 'imp',
  machine: jobMachine,
  clientEvents: [],
};

export const jobAtRest = rule<ResourceFacts>({
  code: 'catalogue_job.delete_needs_rest',
  sentence: 'A job that is running cannot be deleted: wait until it has ended.',
  status: 409,
  kept: ({ document }) => document.status !== 'Running',
});

function jobCommands<T extends 'exportJob' | 'importJob'>(
  definition: ResourceDefinition<T>,
  type: string,
  flow: string,
): ResourceCommands {
  return resourceCommands(definition, {
    operations: ['create', 'remove'],
    defaults: (document, tx) => {
      const { completionDate: _, errorLog: __, ...given } = document;
      return {
        '@type': type,
        contentType: 'application/json',
        ...given,
        status: 'Not Started',
        creationDate: tx.now.toISOString(),
      };
    },
    removeRules: [jobAtRest],
    async afterCreate(tx, stored) {
      await schedule(tx, { flow, subject: stored.id, step: 'run', key: `${flow}:${stored.id}` });
      return stored;
    },
  });
}

export const exportJobCommands = jobCommands(exportJobResource, 'ExportJob', 'export_job');
export const importJobCommands = jobCommands(importJobResource, 'ImportJob', 'import_job');

/** What is wrong with a job in itself: it ends as failed and says so, and trying again would not help. */
class JobFault extends Error {
  override readonly name = 'JobFault';
}

interface Kind {
  table: string;
  commands: ResourceCommands;
}

const kinds: Readonly<Record<string, Kind>> = {
  catalog: { table: 'catalog', commands: catalogCommands },
  category: { table: 'category', commands: categoryCommands },
  productspecification: { table: 'product_specification', commands: productSpecificationCommands },
  productoffering: { table: 'product_offering', commands: productOfferingCommands },
  productofferingprice: { table: 'product_offering_price', commands: productOfferingPriceCommands },
};

/** `url` names the collection: its last part is a resource of the catalogue. */
function kindOf(job: JsonObject): Kind {
  const url = text(job.url) ?? '';
  const last = (url.split(/[?#]/)[0] ?? '').replace(/\/+$/, '').split('/').at(-1)?.toLowerCase() ?? '';
  const kind = Object.hasOwn(kinds, last) ? kinds[last] : undefined;
  if (!kind) throw new JobFault(`The url ${url} names no collection of the catalogue, such as …/productOffering.`);
  return kind;
}

type Form = 'json' | 'csv';

function formOf(job: JsonObject): Form {
  const type = (text(job.contentType) ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') return 'json';
  if (type === 'text/csv') return 'csv';
  throw new JobFault(`Files are application/json or text/csv, not ${text(job.contentType)}.`);
}

function valuesAt(value: Json | undefined, path: readonly string[]): (Json | undefined)[] {
  const [name, ...rest] = path;
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, path));
  if (name === undefined) return [value];
  return isJsonObject(value) ? valuesAt(value[name], rest) : [];
}

/** A job's `query`: `a=x&b.c=y,z`. Every attribute has one of its values. */
function selected(query: string | undefined): (document: JsonObject) => boolean {
  const conditions = [...new URLSearchParams((query ?? '').replace(/^\?/, ''))];
  for (const [name] of conditions) {
    if (!/^[\w@]+(\.[\w@]+)*$/.test(name) || /\.(gt|gte|lt|lte|eq|ne|regex)$/.test(name)) {
      throw new JobFault(`The query of a job compares attributes with values: ${name} is not understood.`);
    }
  }
  return (document) =>
    conditions.every(([name, values]) =>
      valuesAt(document, name.split('.')).some(
        (value) => value !== undefined && values.split(',').includes(String(value)),
      ),
    );
}

const rowsMax = 10_000;

async function begin<T extends 'exportJob' | 'importJob'>(
  context: StepContext,
  definition: ResourceDefinition<T>,
): Promise<JsonObject | undefined> {
  return context.during(`${context.step.flow}.start`, async (tx) => {
    // Deleted before it began: there is nothing to do.
    if (!(await exists(tx, definition.table, context.step.subject))) return undefined;
    const job = await lockResource(tx, definition, context.step.subject);
    if (job.document.status !== 'Not Started') return job.document;
    const status = must(jobMachine, 'Not Started', 'start');
    return (await saveResource(tx, definition, job, { ...job.document, status })).document;
  });
}

async function exists(tx: Tx, table: 'exportJob' | 'importJob', id: string): Promise<boolean> {
  return (await findRow(tx, table, { id })) !== undefined;
}

async function end<T extends 'exportJob' | 'importJob'>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  id: string,
  event: 'succeed' | 'fail',
  more: JsonObject,
): Promise<Stored> {
  const job = await lockResource(tx, definition, id);
  const status = must(jobMachine, text(job.document.status) ?? null, event);
  return saveResource(tx, definition, job, { ...job.document, ...more, status, completionDate: tx.now.toISOString() });
}

/** Runs a job's work. What is wrong with the job itself ends it as failed; everything else is tried again. */
async function runJob<T extends 'exportJob' | 'importJob'>(
  context: StepContext,
  definition: ResourceDefinition<T>,
  work: (job: JsonObject) => Promise<void>,
): Promise<void> {
  const { flow, subject } = context.step;
  const job = await begin(context, definition);
  if (job?.status !== 'Running') {
    await context.finish(`${flow}.end`, async () => undefined);
    return;
  }
  try {
    await work(job);
  } catch (error) {
    const isOfTheJob =
      error instanceof JobFault ||
      error instanceof JobFileError ||
      error instanceof SyntaxError ||
      (error instanceof AirtimeError && error.status < 500);
    if (!isOfTheJob) throw error;
    const errorLog = keepableText(cutText(error.message, 2000));
    await context.finish(`${flow}.fail`, (tx) => end(tx, definition, subject, 'fail', { errorLog }));
  }
}

export interface JobSurroundings {
  files: JobFiles;
  /** Where this installation is reached: links in a file are whole, so that it can be read elsewhere. */
  publicUrl: string;
}

const ownLink = '"airtime:/';

function exportStep({ files, publicUrl }: JobSurroundings): StepDefinition {
  return {
    flow: 'export_job',
    step: 'run',
    summary: 'Write a part of the catalogue to a file',
    run: (context) =>
      runJob(context, exportJobResource, async (job) => {
        const kind = kindOf(job);
        const form = formOf(job);
        const isSelected = selected(text(job.query));
        const rows = await runStatement<{ document: unknown }>(
          context.policy.pool,
          `SELECT "document" FROM "${kind.table}" ORDER BY "id" LIMIT ${rowsMax + 1}`,
          [],
        );
        if (rows.length > rowsMax) throw new JobFault(`A file holds at most ${rowsMax} entries.`);
        const linked = JSON.stringify(rows.map(documentOf).filter(isSelected)).replaceAll(ownLink, `"${publicUrl}/`);
        const documents: JsonObject[] = JSON.parse(linked);
        const path = text(job.path) ?? `${context.step.subject}.${form}`;
        await files.write(path, form === 'csv' ? toCsv(documents) : `${JSON.stringify(documents, null, 2)}\n`);
        await context.finish('export_job.succeed', (tx) =>
          end(tx, exportJobResource, context.step.subject, 'succeed', { path }),
        );
      }),
  };
}

/** A command inside an import's own transaction: the same input, facts and rules as when a client gives it. */
async function within(tx: Tx, definition: AnyCommand | undefined, input: object): Promise<void> {
  if (!definition) throw new Error('a kind that is imported can be created and changed');
  const parsed: unknown = definition.input.parse(input);
  const facts: unknown = await definition.facts(tx, parsed, undefined);
  const refusal = firstBroken(definition.rules, facts, tx);
  if (refusal) throw refusal;
  await definition.apply(tx, facts, parsed);
}

/** The entry that a row of a file speaks of: the one with its id, or the offering with its code. */
async function existingId(tx: Tx, kind: Kind, document: JsonObject): Promise<string | undefined> {
  const code = kind.table === 'product_offering' ? (text(document.code) ?? null) : null;
  const rows = await tx.run<{ id: string }>(
    `SELECT "id" FROM "${kind.table}" WHERE "id" = $1${code === null ? '' : ' OR "code" = $2'} ORDER BY "id" = $1 DESC LIMIT 1`,
    code === null ? [text(document.id) ?? ''] : [text(document.id) ?? '', code],
  );
  return rows[0]?.id;
}

async function importRow(tx: Tx, kind: Kind, row: JsonObject): Promise<void> {
  // The server gives these; a file only repeats what they were when it was written.
  const { href: _, lastUpdate: __, id: ___, ...document } = row;
  const id = await existingId(tx, kind, row);
  if (id === undefined) await within(tx, kind.commands.create, { document });
  else await within(tx, kind.commands.patch, { id, patch: { kind: 'merge', value: document } });
}

function importStep({ files, publicUrl }: JobSurroundings): StepDefinition {
  return {
    flow: 'import_job',
    step: 'run',
    summary: 'Read a part of the catalogue from a file, all of it or nothing',
    run: (context) =>
      runJob(context, importJobResource, async (job) => {
        const kind = kindOf(job);
        const form = formOf(job);
        const path = text(job.path);
        if (path === undefined) throw new JobFault('An import needs the path of its file.');
        const content = await files.read(path);
        const read: unknown = form === 'csv' ? fromCsv(content) : JSON.parse(content);
        // Links of this installation are ours again, whatever address it has tomorrow.
        const linked = JSON.stringify(read).replaceAll(`"${publicUrl}/tmf-api/`, `${ownLink}tmf-api/`);
        const rows: unknown = JSON.parse(linked);
        if (!Array.isArray(rows) || !rows.every(isJsonObject))
          throw new JobFault('The file is not a list of resources.');
        if (rows.length > rowsMax) throw new JobFault(`A file holds at most ${rowsMax} entries.`);
        await context.finish('import_job.succeed', async (tx) => {
          for (const [index, row] of rows.entries()) {
            await importRow(tx, kind, row).catch((error: unknown) => {
              if (!(error instanceof AirtimeError)) throw error;
              throw new JobFault(`Entry ${index + 1}: ${error.message} Nothing was imported.`);
            });
          }
          await end(tx, importJobResource, context.step.subject, 'succeed', {});
        });
      }),
  };
}

/** The steps that run import and export jobs. */
export function catalogueJobSteps(surroundings: JobSurroundings): readonly StepDefinition[] {
  return [exportStep(surroundings), importStep(surroundings)];
}
