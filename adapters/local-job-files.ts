import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { JobFileError, type JobFiles } from './job-files.ts';

const bytesMax = 32 * 1024 * 1024;

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Files in a folder of this machine, which is made when it is first written to. */
export function localJobFiles(directory: string): JobFiles {
  const root = resolve(directory);
  const placeOf = (path: string): string => {
    const place = resolve(root, path);
    const inside = relative(root, place);
    const isOutside = inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside;
    if (isOutside || path.includes('\0') || path.includes('\\')) {
      throw new JobFileError(`The path ${path} leads out of the folder for jobs.`);
    }
    return place;
  };
  const read = async (path: string): Promise<string> => {
    try {
      // A link in the folder could lead anywhere: it is not followed.
      const file = await open(placeOf(path), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const facts = await file.stat();
        if (!facts.isFile()) throw new JobFileError(`${path} is not a file.`);
        if (facts.size > bytesMax) throw new JobFileError(`${path} is larger than ${bytesMax} bytes.`);
        return await file.readFile('utf8');
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR')
        throw new JobFileError(`There is no file ${path}.`);
      if (codeOf(error) === 'ELOOP') throw new JobFileError(`${path} is a link, not a file.`);
      throw error;
    }
  };
  return {
    read,
    write: async (path, text) => {
      const place = placeOf(path);
      await mkdir(dirname(place), { recursive: true, mode: 0o700 });
      const draft = join(dirname(place), `.${randomUUID()}.draft`);
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(text, 'utf8');
          await file.sync();
        } finally {
          await file.close();
        }
        // A link fails where the name is taken; a rename would have replaced what is there.
        await link(draft, place);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        // Written by this same job before it was interrupted.
        if ((await read(path)) !== text) throw new JobFileError(`There is already a file ${path}.`);
      } finally {
        await rm(draft, { force: true });
      }
    },
  };
}
