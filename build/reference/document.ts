import { readFileSync } from 'node:fs';
import { z } from 'zod';

// What the reference reads of a generated OpenAPI document. The rest of it is kept out of sight.

const schema = z.object({
  description: z.string().optional(),
  type: z.string().optional(),
  format: z.string().optional(),
  enum: z.array(z.string()).optional(),
  required: z.array(z.string()).optional(),
  minItems: z.number().optional(),
  $ref: z.string().optional(),
  get allOf() {
    return z.array(schema).optional();
  },
  get items() {
    return schema.optional();
  },
  get properties() {
    return z.record(z.string(), schema).optional();
  },
});
export type Schema = z.infer<typeof schema>;

const content = z.record(z.string(), z.object({ schema: schema.optional() })).optional();
const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(['path', 'query', 'header']),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema: schema.extend({ minimum: z.number().optional() }),
      }),
    )
    .optional(),
  requestBody: z.object({ content }).optional(),
  responses: z.record(
    z.string(),
    z.object({ description: z.string(), headers: z.record(z.string(), z.unknown()).optional(), content }),
  ),
});
export type DocumentOperation = z.infer<typeof operation>;

const document = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  tags: z.array(z.object({ name: z.string(), description: z.string().optional() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), schema) }),
});
export type Document = z.infer<typeof document>;

export function readDocument(path: string): Document {
  return document.parse(JSON.parse(readFileSync(path, 'utf8')));
}

const prefix = '#/components/schemas/';

/** The schema that a property, an item or a body names; undefined where it is written in place. */
export function nameOf(given: Schema | undefined): string | undefined {
  const reference = given?.$ref ?? given?.allOf?.[0]?.$ref;
  return reference?.startsWith(prefix) ? reference.slice(prefix.length) : undefined;
}
