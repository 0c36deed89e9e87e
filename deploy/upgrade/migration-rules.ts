import type { Migration } from '../../app/database/migrate.ts';

/**
 * From 0.1 on a migration runs while the version before it serves, so it may add and may not take away. What the older
 * version reads, writes or calls stays; a release later, when nobody runs the older one any more, it is taken away by a
 * migration that says so: `-- airtime: contract: <which version stopped using it>`.
 */
export interface MigrationFault {
  readonly migration: string;
  readonly line: number;
  readonly rule: string;
  readonly found: string;
  readonly remedy: string;
}

/** The last migration of before 0.1: until then nobody ran two versions, and some of these take things away or lock. */
export const lastBeforeRules = '20261129000100_sessions_of_a_customer';

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly remedy: string;
  /** What of a match is harmless all the same. */
  readonly except?: (statement: string, before: string) => boolean;
  /** A note cannot make it right. */
  readonly always?: boolean;
}

const createsIt =
  (kind: string) =>
  (statement: string, before: string): boolean => {
    // A table or function that this very migration made is known to nobody else.
    const name = new RegExp(`${kind}\\s+(?:IF\\s+(?:NOT\\s+)?EXISTS\\s+)?"?(\\w+)"?`, 'i').exec(statement)?.[1];
    return (
      name !== undefined && new RegExp(`CREATE\\s+(?:OR\\s+REPLACE\\s+)?${kind}\\s+"?${name}"?\\b`, 'i').test(before)
    );
  };

const onNewTable = (statement: string, before: string): boolean => {
  const name =
    /ALTER\s+TABLE\s+(?:ONLY\s+)?"?(\w+)"?/i.exec(statement)?.[1] ??
    / ON\s+(?:ONLY\s+)?"?(\w+)"?/i.exec(statement)?.[1];
  return (
    name !== undefined && new RegExp(`CREATE\\s+TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?"?${name}"?\\b`, 'i').test(before)
  );
};

/** As deep as types, defaults and lists of columns go. */
const inParentheses = String.raw`\((?:[^;()]|\((?:[^;()]|\([^;()]*\))*\))*\)`;

const rules: readonly Rule[] = [
  {
    name: 'no table is dropped or renamed',
    pattern: /\bDROP\s+TABLE\b|\bALTER\s+TABLE\s+[^;]*\bRENAME\b/i,
    remedy: 'Leave it for one release; drop it by a contract migration once no version uses it.',
    except: createsIt('TABLE'),
  },
  {
    name: 'no column is dropped',
    pattern: /\bALTER\s+TABLE\b[^;]*\bDROP\s+(?:COLUMN\b|(?!CONSTRAINT|NOT\b|DEFAULT|EXPRESSION|IDENTITY)"?\w+)/i,
    remedy: 'Stop using it, release, and drop it by a contract migration in the release after.',
    except: onNewTable,
  },
  {
    name: 'no column changes its type',
    pattern: /\bALTER\s+(?:COLUMN\s+)?"?\w+"?\s+(?:SET\s+DATA\s+)?TYPE\b/i,
    remedy:
      'Add a column of the new type, write both, and drop the old one a release later. It rewrites the table under a lock.',
    except: onNewTable,
  },
  {
    name: 'no function, procedure or type is dropped',
    pattern: /\bDROP\s+(?:FUNCTION|PROCEDURE|TYPE|VIEW|SEQUENCE|DOMAIN)\b/i,
    remedy:
      'The version before it may call it. Make the new one beside it, under another name or with other parameters; CREATE OR REPLACE where the signature stays.',
    except: createsIt('FUNCTION'),
  },
  {
    name: 'a new column may be left out',
    pattern: /\bADD\s+COLUMN\b(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\b(?:DEFAULT|GENERATED)\b)/i,
    remedy: 'The version before it inserts rows without it. Give it a default, or allow null.',
    except: onNewTable,
  },
  {
    name: 'no column becomes NOT NULL',
    pattern: /\bSET\s+NOT\s+NULL\b/i,
    remedy: 'Add a CHECK (… IS NOT NULL) NOT VALID, validate it in a later migration, and contract a release later.',
    except: onNewTable,
  },
  {
    name: 'a constraint on a table in use is added NOT VALID',
    pattern:
      /\bADD\s+(?:CONSTRAINT\b(?=[^;]*\b(?:CHECK|FOREIGN\s+KEY)\b)|CHECK\b|FOREIGN\s+KEY\b)(?![^;]*\bNOT\s+VALID\b)/i,
    remedy: 'It reads the whole table under a lock. Add it NOT VALID, and validate it in a migration of its own.',
    except: onNewTable,
  },
  {
    name: 'an index on a table in use is built concurrently',
    pattern: /\bCREATE\s+(?:UNIQUE\s+)?INDEX\b(?!\s+CONCURRENTLY)/i,
    remedy:
      'Writes wait while it is built. Begin a migration of its own with "-- airtime: no transaction" and say CONCURRENTLY.',
    except: onNewTable,
    always: true,
  },
  {
    name: 'a constraint on a table in use takes an index that is there',
    // As an action of its own, named or not, or at the end of a new column. `USING INDEX TABLESPACE` builds one all the same.
    pattern: new RegExp(
      String.raw`\bALTER\s+TABLE\b[^;]*?\bADD\s+(?:[^,;()]|${inParentheses})*?(?<!")\b` +
        String.raw`(?:(?:UNIQUE|PRIMARY\s+KEY)\b(?!\s+USING\s+INDEX\b)|EXCLUDE\b)(?!")`,
      'i',
    ),
    remedy:
      'Reads and writes wait while its index is built. Build it by CREATE UNIQUE INDEX CONCURRENTLY in a migration of its own, and add the constraint USING INDEX in the next. EXCLUDE takes none that is there: it begins with its table.',
    except: onNewTable,
    always: true,
  },
  {
    name: 'no index is dropped under a lock',
    pattern: /\bDROP\s+INDEX\b(?!\s+CONCURRENTLY)/i,
    remedy: 'Begin a migration of its own with "-- airtime: no transaction" and say DROP INDEX CONCURRENTLY.',
    always: true,
  },
  {
    name: 'rows are not rewritten in bulk',
    pattern: /^\s*(?:UPDATE|DELETE\s+FROM)\b(?![^;]*\bWHERE\b)/i,
    remedy: 'It locks every row. Fill in what is missing by a step, in batches, or where it is read.',
    except: (statement, before) => {
      const name = /^\s*(?:UPDATE|DELETE\s+FROM)\s+"?(\w+)"?/i.exec(statement)?.[1];
      return name !== undefined && new RegExp(`CREATE\\s+TABLE\\s+"?${name}"?`, 'i').test(before);
    },
  },
  {
    name: 'nothing is emptied',
    pattern: /\bTRUNCATE\b/i,
    remedy: 'No migration empties a table of an installation.',
    always: true,
  },
  {
    name: 'no lock is taken by hand',
    pattern: /\bLOCK\s+TABLE\b|\bVACUUM\s+FULL\b|\bCLUSTER\b|\bREINDEX\b(?!\s+(?:INDEX|TABLE)\s+CONCURRENTLY)/i,
    remedy: 'Everybody would wait for it.',
    always: true,
  },
];

const contractNote = /--\s*airtime:\s*contract:[ \t]*\S.{9,}/i;

/** What is wrong with one migration. */
export function migrationFaults({ name, sql }: Pick<Migration, 'name' | 'sql'>): MigrationFault[] {
  const faults: MigrationFault[] = [];
  let before = '';
  for (const { text, line } of statementsOf(sql)) {
    for (const rule of rules) {
      const found = rule.pattern.exec(text);
      if (!found || rule.except?.(text, before)) continue;
      if (!rule.always && contractNote.test(sql)) continue;
      const offset = text.slice(0, found.index).split('\n').length - 1;
      faults.push({
        migration: name,
        line: line + offset,
        rule: rule.name,
        found: found[0].replace(/\s+/g, ' ').trim(),
        remedy: rule.remedy,
      });
    }
    before += `${text};\n`;
  }
  return faults;
}

/** Those that the rules are for. */
export const judged = (migrations: readonly Migration[]): Migration[] =>
  migrations.filter(({ name }) => name > lastBeforeRules);

/** Statements with their lines; comments are blanks, and the bodies of functions and strings are nothing to judge. */
function statementsOf(sql: string): { text: string; line: number }[] {
  const bare = sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'/g, (part) =>
    part.replace(/[^\n]/g, ' '),
  );
  const statements: { text: string; line: number }[] = [];
  let line = 1;
  for (const text of bare.split(';')) {
    const blank = /^\s*/.exec(text)?.[0] ?? '';
    const start = line + blank.split('\n').length - 1;
    if (text.trim() !== '') statements.push({ text: text.trimStart(), line: start });
    line += text.split('\n').length - 1;
  }
  return statements;
}
