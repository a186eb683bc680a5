import { stripTypeScriptTypes } from 'node:module';
import type { AnyNode } from 'acorn';
import { parse } from 'acorn';

export interface FunctionLength {
  /** Of the function itself, else of what it is assigned to, else of the function that it stands in. */
  readonly name: string;
  /** From its first line to its last, comments and blank lines counted. */
  readonly lines: number;
}

/** The functions in which tests are listed: as long as their tests. */
const TEST_LISTS = ['describe', 'it', 'test', 'suite'];

/** Every function, method, arrow and closure of a source, TypeScript or JavaScript. */
export function functionLengths(source: string, isTest = false): FunctionLength[] {
  const found: FunctionLength[] = [];
  const visit = (node: AnyNode, name: string, parent: AnyNode | undefined): void => {
    const own = nameOf(node) ?? name;
    const lines = isFunction(node) && !(isTest && listsTests(parent)) ? linesOf(node) : 0;
    if (lines > 0) found.push({ name: own, lines });
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, own, node);
    }
  };
  // Types become white space, so that every line stays where it is.
  const program = stripTypeScriptTypes(source);
  visit(parse(program, { ecmaVersion: 'latest', sourceType: 'module', locations: true }), '', undefined);
  return found;
}

const isNode = (value: unknown): value is AnyNode => typeof value === 'object' && value !== null && 'type' in value;

const isFunction = ({ type }: AnyNode): boolean =>
  ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(type);

const linesOf = ({ loc }: AnyNode): number => (loc ? loc.end.line - loc.start.line + 1 : 0);

function nameOf(node: AnyNode): string | undefined {
  const named = 'id' in node ? node.id : 'key' in node ? node.key : undefined;
  return named?.type === 'Identifier' || named?.type === 'PrivateIdentifier' ? named.name : undefined;
}

const listsTests = (parent: AnyNode | undefined): boolean =>
  parent?.type === 'CallExpression' && parent.callee.type === 'Identifier' && TEST_LISTS.includes(parent.callee.name);
