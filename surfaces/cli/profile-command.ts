import type { Command } from 'commander';
import type { ExitCode, OwnOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

/** What is typed behind `bss profile`. @param make a command that is dressed as all of them are */
export function addProfileVerbs(
  profile: Command,
  make: (name: string) => Command,
  terminal: Terminal,
  done: (code: ExitCode) => void,
): void {
  const verb = (name: string, about: string, examples: readonly string[]) => {
    const command = make(name).description(about);
    command.addHelpText('after', ['\nExamples:', ...examples.map((line) => `  ${line}`)].join('\n'));
    return command;
  };
  profile.addCommand(
    verb('list', 'List the servers you know by name', ['bss profile list']).action(async (_, command: Command) => {
      const { listProfiles } = await import('./profile.ts');
      done(listProfiles(command.optsWithGlobals<OwnOptions>(), terminal));
    }),
    { isDefault: true },
  );
  profile.addCommand(
    verb('add', 'Keep a server by name. Its token is asked for, or read from AIRTIME_TOKEN or standard input', [
      'bss profile add production https://bss.example.com',
      'bss profile add here                  # the server of this folder',
    ])
      .argument('<name>', 'what you call it')
      .argument('[url]', 'where it is; the server of this folder when not given')
      .action(async (name: string, url: string | undefined, _, command: Command) => {
        const { addProfile } = await import('./profile.ts');
        done(await addProfile(name, url, command.optsWithGlobals<OwnOptions>(), terminal));
      }),
  );
  profile.addCommand(
    verb('use', 'Work with a server from now on, wherever you stand', [
      'bss profile use production',
      'bss profile use none                  # the server of the folder you stand in',
    ])
      .argument('<name>', 'one of bss profile list, or none')
      .action(async (name: string, _, command: Command) => {
        const { useProfile } = await import('./profile.ts');
        done(useProfile(name, command.optsWithGlobals<OwnOptions>(), terminal));
      }),
  );
  profile.addCommand(
    verb('remove', 'Forget a server and its token', ['bss profile remove production'])
      .argument('<name>', 'one of bss profile list')
      .action(async (name: string, _, command: Command) => {
        const { removeProfile } = await import('./profile.ts');
        done(removeProfile(name, command.optsWithGlobals<OwnOptions>(), terminal));
      }),
  );
}
