import { SMTPServer } from 'smtp-server';

/** What a mail server was given, as it stood on the wire. */
export interface TakenMail {
  from: string;
  to: string[];
  /** Headers and body as they came. */
  source: string;
}

export interface TestSmtpServer {
  readonly url: string;
  readonly port: number;
  readonly taken: TakenMail[];
  /** The next recipients, senders or messages are answered so: `{ at: 'recipient', code: 550 }`. */
  refuse(what: { at: 'sender' | 'recipient' | 'message'; code: number } | undefined): void;
  /** Takes messages and breaks the connection instead of saying so. */
  hangUp(times: number): void;
  close(): Promise<void>;
}

/** A mail server on loopback, at a port or at any free one. */
export async function startSmtpServer(port = 0): Promise<TestSmtpServer> {
  const taken: TakenMail[] = [];
  let refusal: { at: string; code: number } | undefined;
  let hangUps = 0;
  const answer = (at: string) =>
    refusal?.at === at ? Object.assign(new Error(`no ${at} here`), { responseCode: refusal.code }) : null;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onMailFrom: (_address, _session, callback) => callback(answer('sender')),
    onRcptTo: (_address, _session, callback) => callback(answer('recipient')),
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const refused = answer('message');
        if (refused) return callback(refused);
        taken.push({
          from: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map(({ address }) => address),
          source: Buffer.concat(chunks).toString('utf8'),
        });
        if (hangUps > 0) {
          hangUps -= 1;
          for (const connection of server.connections) connection._socket?.destroy();
          return;
        }
        callback(null);
      });
    },
  });
  server.on('error', () => undefined);
  const listening = await new Promise<number>((done, fail) => {
    server.once('error', fail);
    const listener = server.listen(port, '127.0.0.1', () => {
      const address = listener.address();
      if (address === null || typeof address === 'string') fail(new Error('the mail server has no port'));
      else done(address.port);
    });
  });
  return {
    url: `smtp://127.0.0.1:${listening}`,
    port: listening,
    taken,
    refuse: (what) => {
      refusal = what;
    },
    hangUp: (times) => {
      hangUps = times;
    },
    close: () =>
      new Promise((done) => {
        for (const connection of server.connections) connection._socket?.destroy();
        server.close(() => done());
      }),
  };
}
