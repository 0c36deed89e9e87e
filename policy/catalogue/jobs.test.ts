import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localJobFiles } from '../../adapters/local-job-files.ts';
import { seedCatalogue } from '../../app/seed/catalogue.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { claimSteps, putBack, stepContext } from '../core/flow.ts';
import type { ResourceCommands, Stored } from '../core/resource.ts';
import {
  create,
  expectRule,
  given,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { fromCsv } from './csv.ts';
import {
  catalogueJobSteps,
  exportJobCommands,
  exportJobResource,
  importJobCommands,
  importJobResource,
} from './jobs.ts';

const publicUrl = 'https://bss.example';
const collection = (name: string) => `${publicUrl}/tmf-api/productCatalogManagement/v4/${name}`;

let test: TestPolicy;
let directory: string;
beforeAll(async () => {
  test = await testPolicy();
  await seedCatalogue(test.policy, testOperator);
});
afterAll(() => test.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'airtime-jobs-'));
  return () => rmSync(directory, { recursive: true });
});

async function work(): Promise<void> {
  const steps = catalogueJobSteps({ files: localJobFiles(directory), publicUrl });
  for (const claimed of await claimSteps(test.policy, 'worker', 10, 60)) {
    const step = steps.find((one) => one.flow === claimed.flow && one.step === claimed.step);
    await step?.run(stepContext(test.policy, claimed));
  }
}

async function run(commands: ResourceCommands, document: JsonObject): Promise<JsonObject> {
  const job = await create(test.policy, commands, document);
  expect(job.document).toMatchObject({ status: 'Not Started', creationDate: expect.any(String) });
  await work();
  const resource = commands === exportJobCommands ? exportJobResource : importJobResource;
  const ended = await stored(test.policy, resource, job.id);
  expect(ended?.document.completionDate).toEqual(expect.any(String));
  return ended?.document ?? {};
}

const offerings = () =>
  runStatement<Stored>(
    test.policy.pool,
    'SELECT "id", "document", "version" FROM "product_offering" ORDER BY "id"',
    [],
  );

describe('an export', () => {
  it('writes a collection as JSON, with whole links', async () => {
    const job = await run(exportJobCommands, { url: collection('productOffering'), path: 'out/offerings.json' });
    expect(job).toMatchObject({ '@type': 'ExportJob', status: 'Succeeded', path: 'out/offerings.json' });
    const content = readFileSync(join(directory, 'out/offerings.json'), 'utf8');
    const written: JsonObject[] = JSON.parse(content);
    expect(written).toHaveLength(10);
    expect(content).toContain(`"href": "${collection('category')}/cgy_`);
    expect(content).not.toContain('airtime:/');
  });

  it('writes what its query selects, as CSV, under a name of its own', async () => {
    const job = await run(exportJobCommands, {
      url: `${collection('productOffering')}/`,
      query: 'code=PLAN_S,PLAN_M,VAS_SMS_100&category.name=Plans',
      contentType: 'text/csv',
    });
    expect(job).toMatchObject({ status: 'Succeeded', path: `${job.id}.csv` });
    const rows = fromCsv(readFileSync(join(directory, `${job.id}.csv`), 'utf8'));
    expect(rows.map((row) => row.code)).toEqual(['PLAN_S', 'PLAN_M']);
  });

  it.each<[string, JsonObject]>([
    ['no collection of the catalogue', { url: `${publicUrl}/tmf-api/customerManagement/v4/customer` }],
    ['a form it cannot write', { url: collection('catalog'), contentType: 'application/xml' }],
    ['a query it cannot answer', { url: collection('catalog'), query: 'lastUpdate.gt=2026-01-01' }],
    ['a path that leads out', { url: collection('catalog'), path: '../catalog.json' }],
  ])('fails and says why: %s', async (_, document) => {
    expect(await run(exportJobCommands, document)).toMatchObject({
      status: 'Failed',
      errorLog: expect.stringMatching(/\w/),
    });
  });

  it('does not replace the file of another', async () => {
    await run(exportJobCommands, { url: collection('category'), path: 'taken.json' });
    const before = readFileSync(join(directory, 'taken.json'), 'utf8');
    expect(await run(exportJobCommands, { url: collection('catalog'), path: 'taken.json' })).toMatchObject({
      status: 'Failed',
    });
    expect(readFileSync(join(directory, 'taken.json'), 'utf8')).toBe(before);
  });

  it('ends once, although its step broke off after the file was written', async () => {
    const job = await create(test.policy, exportJobCommands, { url: collection('catalog'), path: 'once.json' });
    const [claimed] = await claimSteps(test.policy, 'worker', 10, 60);
    if (!claimed) throw new Error('nothing was scheduled');
    const [step] = catalogueJobSteps({ files: localJobFiles(directory), publicUrl });
    const context = stepContext(test.policy, claimed);
    const torn = { ...context, finish: () => Promise.reject(new Error('the power went')) };
    await expect(step?.run(torn)).rejects.toThrow('the power went');
    expect((await stored(test.policy, exportJobResource, job.id))?.document.status).toBe('Running');
    await expectRule(test, 'catalogue_job.delete_needs_rest', 409, async (policy) =>
      remove(
        policy,
        exportJobCommands,
        (await given(test.policy, exportJobResource, { ...job.document, status: 'Running' })).id,
      ),
    );
    await expect(remove(test.policy, exportJobCommands, job.id)).rejects.toMatchObject({ status: 409 });
    await putBack(test.policy, { ...claimed, attempts: 0 }, 'the power went');
    await new Promise((resolve) => setTimeout(resolve, 150));
    await work();
    expect((await stored(test.policy, exportJobResource, job.id))?.document.status).toBe('Succeeded');
  });

  it('that was deleted before it began is not run', async () => {
    const job = await create(test.policy, exportJobCommands, { url: collection('catalog'), path: 'never.json' });
    await remove(test.policy, exportJobCommands, job.id);
    await work();
    expect(() => readFileSync(join(directory, 'never.json'))).toThrow();
    expect(await claimSteps(test.policy, 'other', 10, 60)).toEqual([]);
  });
});

describe('an import', () => {
  const put = (name: string, rows: unknown) =>
    writeFileSync(join(directory, name), typeof rows === 'string' ? rows : JSON.stringify(rows));
  const read = (path: string, more: JsonObject = {}) =>
    run(importJobCommands, { url: collection('productOffering'), path, ...more });

  it.each(['application/json', 'text/csv'])('of what was exported as %s changes nothing', async (contentType) => {
    const before = await offerings();
    const job = await run(exportJobCommands, { url: collection('productOffering'), contentType });
    expect(await read(String(job.path), { contentType })).toMatchObject({ '@type': 'ImportJob', status: 'Succeeded' });
    expect(await offerings()).toEqual(before);
  });

  it('creates what is new and changes what is there, known by id or code', async () => {
    const [first] = await offerings();
    put('mixed.json', [
      { id: first?.id, description: 'By id' },
      { code: 'PLAN_L', description: 'By code' },
      { name: 'New', code: 'PLAN_NEW', id: 'ofr_of_another_house' },
    ]);
    expect(await read('mixed.json')).toMatchObject({ status: 'Succeeded' });
    const now = (await offerings()).map((one) => one.document);
    expect(now.find((one) => one.id === first?.id)).toMatchObject({ description: 'By id' });
    expect(now.find((one) => one.code === 'PLAN_L')).toMatchObject({ description: 'By code', name: 'Max' });
    expect(now.find((one) => one.code === 'PLAN_NEW')).toMatchObject({ name: 'New', lifecycleStatus: 'In Study' });
    expect(now.some((one) => one.id === 'ofr_of_another_house')).toBe(false);
  });

  it('is judged by the rules of its entries, and is all or nothing', async () => {
    const before = await offerings();
    put('bad.json', [
      { name: 'Good', code: 'PLAN_GOOD' },
      {
        name: 'Bad',
        code: 'PLAN_GOOD_2',
        lifecycleStatus: 'Active',
        prodSpecCharValueUse: [{ name: 'kind', productSpecCharacteristicValue: [{ value: 'plan' }] }],
      },
    ]);
    const job = await read('bad.json');
    expect(job).toMatchObject({ status: 'Failed', errorLog: expect.stringContaining('Entry 2: ') });
    expect(await offerings()).toEqual(before);
  });

  it.each<[string, string | undefined, string]>([
    ['no path', undefined, '[]'],
    ['no file', 'none.json', '[]'],
    ['no JSON', 'a.json', '{'],
    ['no list', 'a.json', '{}'],
    ['no resources', 'a.json', '[1]'],
    ['an entry without a name', 'a.json', '[{}]'],
    [
      'a price below zero',
      'a.json',
      '[{"name":"x","productOfferingPrice":[{"price":{"taxIncludedAmount":{"unit":"SGD","value":-1}}}]}]',
    ],
  ])('fails and says why: %s', async (_, path, content) => {
    put('a.json', content);
    const job = await run(importJobCommands, { url: collection('productOffering'), ...(path ? { path } : {}) });
    expect(job).toMatchObject({ status: 'Failed', errorLog: expect.stringMatching(/\w/) });
  });

  it('cannot be told that it has ended', async () => {
    const job = await create(test.policy, importJobCommands, {
      url: collection('catalog'),
      status: 'Succeeded',
      errorLog: 'none',
    });
    expect(job.document).toMatchObject({ status: 'Not Started' });
    expect(job.document.errorLog).toBeUndefined();
    expect(Object.keys(importJobCommands).sort()).toEqual(['create', 'remove']);
    await work();
  });

  it('of prices that did not change writes nothing', async () => {
    const job = await run(exportJobCommands, { url: collection('productOfferingPrice') });
    expect(
      await run(importJobCommands, { url: collection('productOfferingPrice'), path: String(job.path) }),
    ).toMatchObject({ status: 'Succeeded' });
    const [price] = await runStatement<Stored>(
      test.policy.pool,
      'SELECT "id", "document", "version" FROM "product_offering_price" LIMIT 1',
      [],
    );
    expect(price?.version).toBe(1n);
  });
});
