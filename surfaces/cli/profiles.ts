import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isJsonObject, type Json } from '../../kernel/json.ts';
import { UsageError } from './input.ts';

/** A server that has a name, and who we are to it. */
export interface Profile {
  url: string;
  token: string;
}

export interface Profiles {
  /** The one that is used when nothing else is said. */
  current: string | undefined;
  named: ReadonlyMap<string, Profile>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the terminal keeps what is a person's own; undefined for somebody without a home. */
export function configFolder(env: Environment): string | undefined {
  if (env.XDG_CONFIG_HOME) return join(env.XDG_CONFIG_HOME, 'airtime');
  const home = env.HOME || env.USERPROFILE;
  return home ? join(home, '.config', 'airtime') : undefined;
}

export function profilesPath(env: Environment): string | undefined {
  const folder = configFolder(env);
  return folder === undefined ? undefined : join(folder, 'profiles.json');
}

/** Readable by its owner alone; where the system has no such notion, always. */
export function isPrivate(path: string): boolean {
  return process.platform === 'win32' || (statSync(path).mode & 0o077) === 0;
}

/** @throws UsageError when others can read the file: it holds tokens, and one that was read is not secret any more. */
export function readProfiles(env: Environment): Profiles {
  const path = profilesPath(env);
  let text: string | undefined;
  try {
    text = path === undefined ? undefined : readFileSync(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')))
      throw error;
  }
  if (path === undefined || text === undefined) return { current: undefined, named: new Map() };
  if (!isPrivate(path)) throw new UsageError(`${path} holds tokens and others can read it. Type: chmod 600 ${path}`);
  return parsed(path, text);
}

function parsed(path: string, text: string): Profiles {
  let value: Json = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below, as what it is: no profiles.
  }
  if (!isJsonObject(value) || !isJsonObject(value.profiles)) {
    throw new UsageError(`${path} does not hold profiles. Mend it, or remove it and add them again.`);
  }
  const named = new Map<string, Profile>();
  for (const [name, one] of Object.entries(value.profiles)) {
    if (!isJsonObject(one) || typeof one.url !== 'string' || typeof one.token !== 'string') {
      throw new UsageError(`${path}: the profile ${name} has no url or no token.`);
    }
    named.set(name, { url: one.url, token: one.token });
  }
  return { current: typeof value.current === 'string' ? value.current : undefined, named };
}

/** Written beside and moved into place, so that a crash leaves the old one. @returns where it is */
export function writeProfiles(env: Environment, profiles: Profiles): string {
  const path = profilesPath(env);
  if (path === undefined) throw new UsageError('There is no home folder to keep profiles in: set HOME.');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.${process.pid}`;
  const body = {
    ...(profiles.current === undefined ? {} : { current: profiles.current }),
    profiles: Object.fromEntries(profiles.named),
  };
  writeFileSync(beside, `${JSON.stringify(body, null, 2)}\n`, { mode: 0o600 });
  // A file that was there already keeps the mode it had.
  chmodSync(beside, 0o600);
  renameSync(beside, path);
  return path;
}

/** @throws UsageError that names those there are */
export function profileNamed(profiles: Profiles, name: string): Profile {
  const found = profiles.named.get(name);
  if (found) return found;
  const known = [...profiles.named.keys()].join(', ');
  throw new UsageError(
    `There is no profile ${name}. ${known === '' ? 'None was added yet.' : `There are: ${known}.`}`,
    'bss profile add',
  );
}
