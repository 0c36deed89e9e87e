import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { withClient } from '../../app/database/roles.ts';
import { answers, exited, fill, isAlive, type Processes, until, write } from './parts.ts';

export interface Place {
  readonly ip: string;
  readonly etcd: string;
  readonly setpriv: string;
  readonly patroni: string;
  readonly binaries: string;
  readonly user: string;
  readonly hub: string;
  readonly network: string;
  readonly spaces: readonly string[];
  /** Answers are given before a second node has the write: the run must notice. */
  readonly planted: boolean;
}

export interface Node {
  readonly name: string;
  readonly number: number;
  readonly space: string;
  readonly address: string;
  process: ChildProcess | undefined;
}

const clusterState = z.object({
  members: z.array(z.looseObject({ name: z.string(), role: z.string(), state: z.string() })),
});

const secret = (): string => randomBytes(18).toString('hex');

/** Three nodes of PostgreSQL under Patroni, each in a network namespace of its own, and one etcd beside them. */
export class Cluster {
  readonly nodes: Node[];
  readonly superuserPassword = secret();
  private readonly passwords = { replicationPassword: secret(), rewindPassword: secret() };

  constructor(
    private readonly place: Place,
    private readonly processes: Processes,
  ) {
    this.nodes = place.spaces.map((space, index) => ({
      name: `pg${index + 1}`,
      number: index + 1,
      space,
      address: `${place.network}.${11 + index}`,
      process: undefined,
    }));
  }

  /** A command line that runs in a node, as the user who owns the database. */
  private inside(node: Node, command: readonly string[]): string[] {
    const { ip, setpriv, user } = this.place;
    const asUser = [setpriv, `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    return [ip, 'netns', 'exec', node.space, ...asUser, ...command];
  }

  startNode(node: Node): void {
    node.process = this.processes.launch(
      node.name,
      this.inside(node, [this.place.patroni, join(this.processes.directory, `${node.name}.yml`)]),
    );
  }

  async start(): Promise<void> {
    const { directory } = this.processes;
    const { etcd, network, binaries, user, planted } = this.place;
    const [client, peer] = [`http://${network}.1:2379`, `http://${network}.1:2380`];
    this.processes.launch('etcd', [
      ...[etcd, '--name', 'one', '--data-dir', join(directory, 'etcd')],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `one=${peer}`],
    ]);
    await until('etcd answers', () => answers(`${client}/health`), { told: () => this.processes.tail('etcd') });
    const own = (path: string) => execFileSync('chown', [`${user}:`, path]);
    for (const node of this.nodes) {
      const home = join(directory, node.name);
      mkdirSync(home, { mode: 0o700 });
      own(home);
      const file = join(directory, `${node.name}.yml`);
      write(
        file,
        fill('patroni.yml', {
          name: node.name,
          address: node.address,
          network: `${network}.0/24`,
          etcd: `${network}.1:2379`,
          data: join(home, 'data'),
          directory: home,
          binaries,
          synchronous: String(!planted),
          superuserPassword: this.superuserPassword,
          ...this.passwords,
        }),
      );
      own(file);
      this.startNode(node);
    }
    await this.untilWhole();
  }

  async members(): Promise<z.infer<typeof clusterState>['members']> {
    for (const { address } of this.nodes) {
      try {
        const response = await fetch(`http://${address}:8008/cluster`, { signal: AbortSignal.timeout(2000) });
        return clusterState.parse(await response.json()).members;
      } catch {
        // The next one may know.
      }
    }
    return [];
  }

  /** One primary, and the others follow it: one of them synchronously. */
  async untilWhole(): Promise<number> {
    const roles = (members: readonly { role: string; state: string }[], role: string) =>
      members.filter((one) => one.role === role && (one.state === 'running' || one.state === 'streaming')).length;
    let seen: unknown;
    return until(
      'the cluster is whole',
      async () => {
        const members = await this.members();
        seen = members;
        const synchronous = roles(members, 'sync_standby');
        return (
          roles(members, 'leader') === 1 &&
          (this.place.planted || synchronous === 1) &&
          synchronous + roles(members, 'replica') === this.nodes.length - 1
        );
      },
      {
        msMax: 120_000,
        everyMs: 500,
        told: () => `${JSON.stringify(seen)}\n${this.nodes.map(({ name }) => this.processes.tail(name)).join('\n')}`,
      },
    );
  }

  async withRole(role: 'leader' | 'sync_standby'): Promise<Node | undefined> {
    const named = (await this.members()).find((one) => one.role === role)?.name;
    return this.nodes.find(({ name }) => name === named);
  }

  async leader(): Promise<Node> {
    const node = await this.withRole('leader');
    if (!node) throw new Error('there is no primary');
    return node;
  }

  urlOf(node: Pick<Node, 'address'>, database = 'postgres'): string {
    return `postgresql://postgres:${this.superuserPassword}@${node.address}:5432/${database}`;
  }

  /** `kill -9` of all that runs in the node, PostgreSQL and Patroni alike: what a lost machine is. */
  async kill(node: Node): Promise<void> {
    const pids = execFileSync(this.place.ip, ['netns', 'pids', node.space], { encoding: 'utf8' });
    for (const pid of pids.split('\n').filter((line) => line !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It went with another.
      }
    }
    if (node.process) await exited(node.process);
  }

  /** Cuts the node off from everybody, or joins it again. */
  setLink(node: Node, state: 'up' | 'down'): void {
    execFileSync(this.place.ip, ['link', 'set', `node${node.number}`, state]);
  }

  async switchOver(from: Node, to: Node): Promise<void> {
    const response = await fetch(`http://${from.address}:8008/switchover`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ leader: from.name, candidate: to.name }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the switchover was refused: ${response.status} ${text}`);
  }

  /** Somebody who sits in the node itself and writes to it. Ends with the signal. */
  probe(node: Node, from: number): { hasWritten(): boolean; stop(): Promise<readonly Said[]> } {
    const [file = '', ...args] = [this.place.ip, 'netns', 'exec', node.space, process.execPath, ...process.execArgv];
    const child = spawn(
      file,
      [
        ...args,
        fileURLToPath(new URL('split-probe.ts', import.meta.url)),
        this.urlOf({ address: '127.0.0.1' }),
        String(from),
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let text = '';
    child.stdout.on('data', (part: Buffer) => {
      text += part.toString('utf8');
    });
    return {
      hasWritten: () => text.includes('acknowledged'),
      async stop() {
        if (isAlive(child)) child.kill('SIGKILL');
        await exited(child);
        return text
          .split('\n')
          .slice(0, -1)
          .map((line) => {
            const [at, word = '', number] = line.split(' ');
            return { at: Number(at), word, number: number === undefined ? undefined : Number(number) };
          });
      },
    };
  }

  /** The users and the database of Airtime, as its administrator makes them. */
  async prepare(): Promise<{ owner: string; server: string }> {
    const [owner, server] = [secret(), secret()];
    const leader = await this.leader();
    await withClient(this.urlOf(leader), async (admin) => {
      await admin.query(`CREATE TABLE split_probe ("number" bigint PRIMARY KEY)`);
      await admin.query(`CREATE ROLE airtime_owner LOGIN PASSWORD '${owner}'`);
      await admin.query('CREATE ROLE airtime_server NOLOGIN');
      await admin.query(`CREATE ROLE airtime LOGIN PASSWORD '${server}' IN ROLE airtime_server`);
      await admin.query('CREATE DATABASE airtime OWNER airtime_owner');
    });
    return { owner, server };
  }
}

export interface Said {
  readonly at: number;
  readonly word: string;
  readonly number: number | undefined;
}
