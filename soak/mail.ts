import { SMTPServer } from 'smtp-server';

export interface Letter {
  readonly to: string;
  readonly source: string;
}

export interface PostOffice {
  readonly url: string;
  readonly letters: Letter[];
  /** Faults that struck. */
  faults(): number;
  /** So many letters are refused for now, or taken with nothing said, before the next goes well. Codes are spared. */
  plan(mode: 'refuse' | 'hang up', times: number): void;
  /** How many of those are still to come. */
  left(): number;
  calm(): void;
  close(): Promise<void>;
}

/** Where mail goes: a server of its own on loopback, which fails as it is told to. */
export async function openPostOffice(onLetter: (letter: Letter) => void): Promise<PostOffice> {
  const letters: Letter[] = [];
  let planned: ('refuse' | 'hang up')[] = [];
  let struck = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const source = Buffer.concat(chunks).toString('utf8');
        // Somebody waits for a code: it is for the stories of the pages, not for the faults of mail.
        const fault = source.includes('Code:') ? undefined : planned.shift();
        if (fault !== undefined) struck += 1;
        if (fault === 'refuse') return callback(Object.assign(new Error('not now'), { responseCode: 451 }));
        for (const { address } of session.envelope.rcptTo) {
          const letter = { to: address.toLowerCase(), source };
          letters.push(letter);
          onLetter(letter);
        }
        if (fault === 'hang up') {
          for (const connection of server.connections) connection._socket?.destroy();
          return;
        }
        callback(null);
      });
    },
  });
  server.on('error', () => undefined);
  const port = await new Promise<number>((done, fail) => {
    server.once('error', fail);
    const listener = server.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      if (address === null || typeof address === 'string') fail(new Error('the mail server has no port'));
      else done(address.port);
    });
  });
  return {
    url: `smtp://127.0.0.1:${port}`,
    letters,
    faults: () => struck,
    plan(mode, times) {
      for (let time = 0; time < times; time += 1) planned.push(mode);
    },
    left: () => planned.length,
    calm() {
      planned = [];
    },
    close: () =>
      new Promise((done) => {
        for (const connection of server.connections) connection._socket?.destroy();
        server.close(() => done());
      }),
  };
}

export function codeIn(letter: Letter | undefined): string | undefined {
  const found = /Code:\s+(\d{3}) (\d{3})/.exec(letter?.source ?? '');
  return found ? `${found[1]}${found[2]}` : undefined;
}
