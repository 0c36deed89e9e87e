#!/usr/bin/env node
// What PRISMA_SCHEMA_ENGINE_BINARY points at. Prisma starts it as a program, so it cannot be TypeScript itself.
import { register } from 'tsx/esm/api';

register();
await import('./schema-engine.ts');
