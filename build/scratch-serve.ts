import { pino } from 'pino';
import { readConfiguration } from '../app/configuration.ts';
import { startPlatform } from '../app/platform.ts';

const p = await startPlatform(
  readConfiguration({ AIRTIME_HOME: '/tmp/cli/home/.airtime', AIRTIME_PORT: '18099' }),
  pino({ level: 'warn' }),
);
console.log(p.url);
process.on('SIGTERM', () => p.stop().then(() => process.exit(0)));
