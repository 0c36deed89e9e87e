import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Finding, Plant } from './finding.ts';

/** The rooms that are shipped, from the lowest to the highest. */
export const rooms = ['kernel', 'policy', 'read', 'handlers', 'tools', 'surfaces', 'adapters', 'workers', 'app'];

const isTest = /(\.test|\.contract)\.tsx?$|(^|\/)testing[a-z-]*\.tsx?$|(^|\/)vitest-global-setup\.ts$/;

/** A file of the program, by its path below the root. */
export interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly node: ts.SourceFile;
  readonly isPlant: boolean;
}

/** The program as the compiler reads it: what is shipped, and what was planted beside it. */
export interface Sources {
  readonly root: string;
  readonly checker: ts.TypeChecker;
  readonly files: readonly SourceFile[];
  pathOf(node: ts.Node): string;
}

/** One check of the program's text. Its plants are files that are read with the others, and must be found. */
export interface SourceCheck {
  readonly name: string;
  readonly refuses: string;
  readonly plants: readonly Plant[];
  /** What is wrong in one file. */
  judge(file: SourceFile, sources: Sources): Finding[];
  /** The rooms that it looks at. */
  readonly rooms: readonly string[];
}

function filesOf(root: string, directory: string): string[] {
  const place = join(root, directory);
  if (!existsSync(place)) return [];
  return readdirSync(place, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return filesOf(root, path);
    return /\.tsx?$/.test(path) && !isTest.test(path) ? [path] : [];
  });
}

/**
 * Reads what is shipped, with the planted files beside it, as one program: a plant sees the house's own types, and
 * nothing of the house sees a plant.
 */
export function readSources(root: string, plants: readonly Plant[]): Sources {
  const configuration = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8'));
  const { options } = ts.convertCompilerOptionsFromJson(configuration.config.compilerOptions, root);
  const planted = new Map(plants.map(({ file, text }) => [join(root, file), text]));
  for (const path of planted.keys()) {
    if (existsSync(path)) throw new Error(`${path} is a file of the house and cannot be planted`);
  }
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => planted.has(path) || fileExists(path);
  host.readFile = (path) => planted.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = planted.get(path);
    return text === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion, true);
  };
  const names = [...rooms.flatMap((room) => filesOf(root, room)), ...plants.map(({ file }) => file)];
  const program = ts.createProgram({ rootNames: names.map((path) => join(root, path)), options, host });
  const files = names.map((path) => {
    const node = program.getSourceFile(join(root, path));
    if (!node) throw new Error(`${path} could not be read`);
    return { path, room: path.split('/')[0] ?? '', node, isPlant: planted.has(join(root, path)) };
  });
  return {
    root,
    checker: program.getTypeChecker(),
    files,
    pathOf: (node) => node.getSourceFile().fileName.slice(root.length).replace(/^\//, ''),
  };
}

/** Every node of a tree, from the top. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  return children;
}

export function finding(file: SourceFile, node: ts.Node, what: string): Finding {
  const { line } = file.node.getLineAndCharacterOfPosition(node.getStart(file.node));
  return { file: file.path, line: line + 1, what };
}

/** The text that an expression is sure to hold: literals, templates and sums of them, with `$1` for what is not known. */
export function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map((span, index) => `$${index + 1}${span.literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left === undefined && right === undefined ? undefined : `${left ?? '$1'}${right ?? '$1'}`;
  }
  if (ts.isParenthesizedExpression(node)) return textOf(node.expression);
  return undefined;
}

/** Texts of a file, the longest ones only: the parts of a sum are not told again. */
export function* textsOf(node: ts.Node): Generator<{ node: ts.Node; text: string }> {
  const text = textOf(node);
  if (text !== undefined) {
    yield { node, text };
    // What stands inside the places of a template is looked at by itself.
    if (ts.isTemplateExpression(node)) for (const span of node.templateSpans) yield* textsOf(span.expression);
    return;
  }
  for (const child of childrenOf(node)) yield* textsOf(child);
}

/** What an identifier stands for, behind imports. */
export function declarationOf(sources: Sources, node: ts.Node): ts.Declaration | undefined {
  let symbol = sources.checker.getSymbolAtLocation(node);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = sources.checker.getAliasedSymbol(symbol);
  return symbol?.valueDeclaration ?? symbol?.declarations?.[0];
}

/** The name that an import of this module gives, for each name it is known by in the file. */
export function importsOf(
  file: SourceFile,
): { module: string; name: string; local: string; isType: boolean; node: ts.Node }[] {
  return file.node.statements.filter(ts.isImportDeclaration).flatMap((statement) => {
    const module = ts.isStringLiteral(statement.moduleSpecifier) ? statement.moduleSpecifier.text : '';
    const clause = statement.importClause;
    if (!clause) return [{ module, name: '', local: '', isType: false, node: statement }];
    const isType = clause.isTypeOnly;
    const found = clause.name ? [{ module, name: 'default', local: clause.name.text, isType, node: statement }] : [];
    const { namedBindings } = clause;
    if (!namedBindings) return found;
    if (ts.isNamespaceImport(namedBindings)) {
      return [...found, { module, name: '*', local: namedBindings.name.text, isType, node: statement }];
    }
    return [
      ...found,
      ...namedBindings.elements.map((element) => ({
        module,
        name: (element.propertyName ?? element.name).text,
        local: element.name.text,
        isType: isType || element.isTypeOnly,
        node: element,
      })),
    ];
  });
}
