import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** Whether somebody said which browser is to be taken: then that one is, or none. */
export const isNamed = ({ AIRTIME_CHROMIUM: named }: NodeJS.ProcessEnv): boolean => named !== undefined && named !== '';

export const remedyFor = (environment: NodeJS.ProcessEnv): string =>
  isNamed(environment)
    ? `AIRTIME_CHROMIUM names ${environment.AIRTIME_CHROMIUM}, which is no program that may be run. Name one that is, or ` +
      'unset it to take the one on the PATH, and type make browser again.'
    : 'There is no Chromium on the PATH. Install it with the package manager of this machine (chromium or google-chrome), ' +
      'or name a program with AIRTIME_CHROMIUM, and type make browser again.';

/** The browser that is there, by AIRTIME_CHROMIUM or on the PATH. Nothing is fetched: a browser is 300 MB. */
export function findChromium(environment: NodeJS.ProcessEnv): string | undefined {
  const named = environment.AIRTIME_CHROMIUM;
  if (named !== undefined && named !== '') return isProgram(named) ? named : undefined;
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function openChromium(executablePath: string): Promise<Browser> {
  // Root has no sandbox of Chromium's to be in: a container is one already.
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, headless: true, args: isRoot ? ['--no-sandbox'] : [] });
}
