import pages from '../../generated/front-page.json' with { type: 'json' };
import { frontPage } from './front-page.ts';
import { columns } from './tty.ts';

// A reader that has seen enough (`bss … | head`) is not an error.
process.stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit(0);
  throw error;
});

const page = frontPage(pages, process.argv.slice(2), {
  env: process.env,
  get isInputTty() {
    return process.stdin.isTTY === true;
  },
  isOutputTty: process.stdout.isTTY === true,
  columns,
});
if (page === undefined) await import('./start.ts');
else process.stdout.write(page);
