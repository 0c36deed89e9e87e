import { defineConfig } from 'prisma/config';

/** For Prisma's own command line tool, which is run through build/prisma/main.ts. The program itself reads none of it. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
