import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { FunctionLength } from './function-lengths.ts';
import { functionLengths } from './function-lengths.ts';

const ROOT = path.join(import.meta.dirname, '..');

/**
 * Which folder may import which folders, packages (`npm:`) and Node modules (`node:`). Imports that aren't listed are
 * forbidden, except with `*`. A file belongs to the longest listed folder that contains it.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'shared/core': ['npm:zod', 'npm:@noble/hashes', 'npm:tinyqueue'],
  'shared/ports': ['shared/core'],
  'shared/runtime': ['shared/core', 'shared/ports'],
  'shared/kubernetes': [
    'shared/core',
    'shared/ports',
    'npm:@kubernetes/client-node',
    'npm:js-yaml',
    'npm:ws',
    'npm:zod',
    'node:',
  ],
  // Command lines and manifests, for the plugin and the runner alike.
  'shared/input': ['shared/core', 'npm:js-yaml', 'node:'],
  'shared/system': ['shared/core', 'shared/ports', 'npm:pino', 'node:'],
  // What a run tells of itself besides its report: metrics and spans.
  'shared/telemetry': [
    'shared/core',
    'shared/runtime',
    'npm:prom-client',
    'npm:@opentelemetry/api',
    'npm:@opentelemetry/core',
    'npm:@opentelemetry/exporter-trace-otlp-http',
    'npm:@opentelemetry/resources',
    'npm:@opentelemetry/sdk-trace',
    'node:',
  ],
  // Joins the runtime to its adapters, for the plugin and the runner alike.
  'shared/wiring': ['shared/core', 'shared/ports', 'shared/runtime', 'shared/kubernetes', 'shared/telemetry'],
  // Reads archives that may come from anybody, so it has no access to the cluster or to commands.
  'plugin/input/archive': ['shared/core', 'npm:tar-stream', 'node:'],
  plugin: ['shared', 'npm:js-yaml', 'npm:yaml', 'npm:yargs', 'npm:zod', 'node:'],
  // aws-lambda: only its types.
  runner: ['shared', 'npm:aws-lambda', 'npm:zod', 'node:'],
  test: ['*'],
};

/** The core is a function of its arguments: time, chance and waiting come in from outside. */
const impure: Readonly<Record<string, RegExp>> = {
  Date: /\bDate\b/,
  chance: /\bMath\.random\b|\bcrypto\b/,
  performance: /\bperformance\b/,
  timers: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  promises: /\b(?:async|await|Promise)\b/,
  'the process': /\b(?:process|globalThis|console)\b\s*[.[]/,
};
/** May use `Date`, because it only formats the one that it is given. */
const mayNameDate = ['shared/core/model/instant.ts'];

/**
 * The simulator's judges check the core, so they may import only types from it: with its functions they would repeat its
 * mistakes and not see them. They may import each other and Node, and only types from worlds and `shared`.
 */
const judges: readonly string[] = [
  'test/sim/invariants.ts',
  'test/sim/run-invariants.ts',
  'test/sim/durable-invariants.ts',
  'test/sim/creation-invariants.ts',
  'test/sim/told-journal.ts',
  'test/sim/what-stands.ts',
];

const LONGEST_FILE = 450;
/** For files that tests are built on. A test file may be as long as its cases. */
const LONGEST_TEST_SUPPORT = 600;

const LONGEST_FUNCTION = 70;
/** What is not yet split. A function that is short enough must leave this list, so that it only gets shorter. */
const stillTooLong: readonly string[] = [
  'test/embedded/api.ts createApi',
  'test/embedded/handlers.ts createHandlers',
  'test/embedded/jobs.ts createJobController',
  'test/embedded/kubelet.ts createKubelet',
  'test/embedded/server.ts startEmbeddedCluster',
];
/** Their end-to-end tests are frozen while the code is moved; their helpers with them. */
const notMeasured = ['test/e2e/', 'test/cluster/'];

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** All tracked files, and new files that aren't ignored, so that a file is checked before it is committed. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .toString()
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
const sources = files.filter((file) => /\.[cm]?tsx?$/.test(file));
const guarded = sources.filter((file) => layerOf(file) !== undefined);

function layerOf(file: string): string | undefined {
  return Object.keys(allowed)
    .filter((layer) => file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** The code without comments and without the contents of strings; `keepText` keeps quoted strings. */
function codeOf(source: string, keepText = false): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|(?<=[=(,:[!&|?{};]\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return source.replace(token, (found) => {
    if (found.startsWith('//') || found.startsWith('/*')) return blank(found);
    if (keepText && !found.startsWith('`')) return found;
    // The text in a template's ${} is code.
    return found.startsWith('`') ? [...found.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code).join(' ') : '""';
  });
}

/** Every module that a source names: import, `import type`, export … from, import(), import('…').Type, require. */
function importsOf(source: string): string[] {
  const code = codeOf(source, true);
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require|getBuiltinModule)\s*\(\s*['"]([^'"]+)['"]/g,
    // A computed name could be any module, so it is reported as it is written.
    /\bimport\s*\(\s*([^'"\s][^)]*)/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, specifier = '']) => specifier));
}

/** `shared/core`, `node:`, or `npm:zod`. */
function targetOf(file: string, specifier: string): string {
  if (specifier.startsWith('.')) {
    const at = path.posix.join(path.posix.dirname(file), specifier);
    return layerOf(at) ?? at;
  }
  if (specifier.startsWith('node:')) return 'node:';
  const [scope = '', name] = specifier.split('/');
  return `npm:${scope.startsWith('@') ? `${scope}/${name}` : scope}`;
}

const mayImport = (layer: string, target: string): boolean =>
  [layer, ...(allowed[layer] ?? [])].some(
    (entry) => entry === '*' || target === entry || target.startsWith(`${entry}/`),
  );

const forbiddenIn = (file: string, source: string): string[] =>
  importsOf(source).filter((specifier) => !mayImport(layerOf(file) ?? '', targetOf(file, specifier)));

/** The imports of a judge that it must not have: values from anywhere but other judges and Node. */
const sharedBy = (judge: string, source: string): string[] => {
  const withoutTypes = source.replace(/^\s*(?:import|export) type\b[^'"`;]*?\bfrom\s*['"][^'"]+['"];?/gm, '');
  return importsOf(withoutTypes).filter(
    (specifier) =>
      !specifier.startsWith('node:') && !judges.includes(path.posix.join(path.posix.dirname(judge), specifier)),
  );
};

const impureIn = (file: string, source: string): string[] => {
  const code = codeOf(source);
  return Object.entries(impure)
    .filter(([what, pattern]) => pattern.test(code) && !(what === 'Date' && mayNameDate.includes(file)))
    .map(([what]) => what);
};

describe('the layers', () => {
  it('are all there, with the sources that they guard', () => {
    assert.ok(guarded.length >= 40, `saw ${guarded.length} sources`);
    for (const layer of Object.keys(allowed)) {
      assert.ok(
        guarded.some((file) => layerOf(file) === layer),
        `${layer}: no such layer`,
      );
    }
  });

  it('hold every source but those at the top and in tools of their own', () => {
    const outside = sources.filter((file) => layerOf(file) === undefined && file.startsWith('shared/'));
    assert.deepEqual(outside, []);
  });

  it('import only what they may', () => {
    const wrong = guarded.flatMap((file) => forbiddenIn(file, read(file)).map((specifier) => `${file}: ${specifier}`));
    assert.deepEqual(wrong, []);
  });

  it('keep time, chance and waiting out of the core', () => {
    const core = guarded.filter((file) => layerOf(file) === 'shared/core');
    assert.deepEqual(
      core.flatMap((file) => impureIn(file, read(file)).map((what) => `${file}: ${what}`)),
      [],
    );
    for (const file of mayNameDate) assert.ok(core.includes(file), file);
  });

  it("are not shared by the simulator's judges, but for types", () => {
    for (const judge of judges) {
      assert.ok(sources.includes(judge), judge);
      assert.deepEqual(sharedBy(judge, read(judge)), [], judge);
    }
    // Every file that checks invariants must be in the list of judges.
    const judging = sources.filter((file) => /^test\/sim\/.*(?:invariants|judge)[^/]*\.ts$/.test(file));
    assert.deepEqual(
      judging.filter((file) => !judges.includes(file)),
      [],
    );
    const [judge = ''] = judges;
    for (const source of [
      `import { stateOf } from '../../shared/core/execute/state.ts';`,
      `import { type RunState, stateOf } from '../../shared/core/execute/state.ts';`,
      `import type { World } from './world.ts';\nimport { CALM_AFTER_MS } from './world.ts';`,
      `export { phaseOf } from '../../shared/core/execute/run-phase.ts';`,
      `const core = await import('../../shared/core/model/hook.ts');`,
    ]) {
      assert.equal(sharedBy(judge, source).length, 1, source);
    }
    for (const source of [
      `import type { RunState } from '../../shared/core/execute/state.ts';`,
      `import type {\n  A,\n  B,\n} from '../../shared/core/model/hook.ts';\nimport { keyOf } from './what-stands.ts';`,
      `import assert from 'node:assert/strict';`,
    ]) {
      assert.deepEqual(sharedBy(judge, source), [], source);
    }
  });

  it('would be told of every way to break them', () => {
    const file = 'shared/core/plan/x.ts';
    for (const source of [
      `import fs from 'node:fs';`,
      `import type { Clock } from '../../ports/ports.ts';`,
      `import {\n  a,\n  b,\n} from "../../kubernetes/client.ts";`,
      `export * from '../../runtime/run.ts';`,
      `export type { Argv } from 'yargs';`,
      `import '../../system/clock.ts';`,
      `const load = () => import('../../../plugin/cli.ts');`,
      `type T = import('../../../runner/job.ts').T;`,
      'const load = (name: string) => import(`./\u0024{name}.ts`);',
      `import fs from 'fs';`,
      `import x from 'zodiac';`,
    ]) {
      assert.equal(forbiddenIn(file, source).length, 1, source);
    }
    for (const source of [
      `import * as z from 'zod';`,
      `import { sha256 } from '@noble/hashes/sha2.js';`,
      `// import 'ws'`,
    ]) {
      assert.deepEqual(forbiddenIn(file, source), [], source);
    }
    for (const source of [
      'Date.now()',
      '`\u0024{new Date()}`',
      'Math.random()',
      'async () => 1',
      'setTimeout(f)',
      'process.env',
    ]) {
      assert.equal(impureIn(file, source).length, 1, source);
    }
    for (const source of ["'Date'", '// await', 'update(x)', '/async/.test(x)']) {
      assert.deepEqual(impureIn(file, `x = ${source}`), [], source);
    }
    assert.equal(forbiddenIn('plugin/x.ts', `import '../runner/job.ts';`).length, 1);
    assert.equal(forbiddenIn('runner/x.ts', `import '../plugin/cli.ts';`).length, 1);
    assert.equal(forbiddenIn('shared/kubernetes/x.ts', `import '../runtime/run.ts';`).length, 1);
  });
});

/** The names that can be reached from themselves. `edges`: who imports whom, type imports included. */
function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const reaches = (from: string): Set<string> => {
    const seen = new Set<string>();
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const next of edges.get(at) ?? []) if (!seen.has(next)) open.push(next) && seen.add(next);
    }
    return seen;
  };
  return [...edges.keys()].filter((name) => reaches(name).has(name));
}

/** Which room imports which; `roomOf` gives a file's room. Imports within a room count only if a file imports itself. */
function importGraph(roomOf: (file: string) => string): Map<string, Set<string>> {
  const product = guarded.filter((file) => !file.startsWith('test/'));
  const edges = new Map(product.map((file) => [roomOf(file), new Set<string>()]));
  for (const file of product) {
    for (const specifier of importsOf(read(file)).filter((name) => name.startsWith('.'))) {
      const target = path.posix.join(path.posix.dirname(file), specifier);
      if (roomOf(target) !== roomOf(file) || target === file) edges.get(roomOf(file))?.add(roomOf(target));
    }
  }
  return edges;
}

describe('no import goes round in a circle', () => {
  const rooms: Readonly<Record<string, (file: string) => string>> = {
    'from file to file': (file) => file,
    'from folder to folder': (file) => path.posix.dirname(file),
    // Such as plugin/lint, shared/core/plan, shared/kubernetes/exec, with their subfolders.
    'from room to room': (file) => {
      const depth = /^shared\/(?:core|kubernetes)\//.test(file) ? 3 : 2;
      return path.posix.dirname(file).split('/').slice(0, depth).join('/');
    },
  };
  for (const [how, roomOf] of Object.entries(rooms)) {
    it(how, () => {
      const edges = importGraph(roomOf);
      assert.ok(edges.size >= 10, `saw ${edges.size} of them`);
      assert.deepEqual(cyclesOf(edges), []);
    });
  }

  it('and one that does would be seen', () => {
    const edges = (of: Record<string, string[]>) => new Map(Object.entries(of).map(([a, b]) => [a, new Set(b)]));
    assert.deepEqual(cyclesOf(edges({ a: ['b'], b: ['c'], c: ['b'], d: ['d'] })), ['b', 'c', 'd']);
    assert.deepEqual(cyclesOf(edges({ a: ['b', 'c'], b: ['c'], c: [] })), []);
  });
});

describe('the sources', () => {
  it('have no default exports', () => {
    const pattern = /^\s*export\s+default\b|\bas\s+default\b(?!\s*\}?\s*from)/m;
    assert.deepEqual(
      guarded.filter((file) => pattern.test(codeOf(read(file)))),
      [],
    );
  });

  it('are short enough to be read at once', () => {
    const limitOf = (file: string): number =>
      file.endsWith('.test.ts')
        ? Number.POSITIVE_INFINITY
        : file.startsWith('test/')
          ? LONGEST_TEST_SUPPORT
          : LONGEST_FILE;
    const lengthOf = (file: string): number => read(file).trimEnd().split('\n').length;
    assert.deepEqual(
      guarded.filter((file) => lengthOf(file) > limitOf(file)),
      [],
    );
  });
});

describe('the functions', () => {
  const measured = [...sources, ...files.filter((file) => /\.[cm]?js$/.test(file))].filter(
    (file) => !notMeasured.some((folder) => file.startsWith(folder)),
  );
  const isTooLong = ({ lines }: FunctionLength): boolean => lines > LONGEST_FUNCTION;
  const tooLong = (source: string, isTest = false): string[] =>
    functionLengths(source, isTest)
      .filter(isTooLong)
      .map(({ name }) => name);

  it('are at most 70 lines long, but for those that are listed', (context) => {
    const all = measured.flatMap((file) =>
      functionLengths(read(file), file.endsWith('.test.ts')).map((each) => ({ file, ...each })),
    );
    assert.ok(all.length >= 3_000, `saw ${all.length} functions`);
    const found = all.filter(isTooLong).map(({ file, name }) => `${file} ${name}`);
    for (const name of stillTooLong) context.diagnostic(`still too long: ${name}`);
    assert.deepEqual(found.sort(), [...stillTooLong].sort());
  });

  it('are measured from their first line to their last, whatever their kind', () => {
    const bodyOf = (lines: number): string =>
      ['{', ...Array.from({ length: lines - 2 }, (_, at) => (at % 2 === 0 ? '// a comment' : '')), '}'].join('\n');
    const long = bodyOf(LONGEST_FUNCTION + 1);
    const short = bodyOf(LONGEST_FUNCTION);
    const kinds: Readonly<Record<string, (body: string) => string>> = {
      declared: (body) => `function declared(this: unknown, a: number): void ${body}`,
      arrow: (body) => `const arrow = async <T,>(a: T): Promise<void> => ${body};`,
      method: (body) => `class A { private readonly a = 1; static async method(a?: string): Promise<void> ${body} }`,
      hidden: (body) => `class A { #hidden() ${body} }`,
      member: (body) => `export const a: A = { get member() ${body} };`,
      closure: (body) => `const closure = make({ a: 1 }, (b: B) => ${body});`,
      called: (body) => `function* called() { describe('x', () => { run(function () ${body}) }) }`,
    };
    for (const [name, write] of Object.entries(kinds)) {
      assert.ok(tooLong(write(long), true).includes(name), name);
      assert.deepEqual(tooLong(write(short)), [], name);
    }
    assert.deepEqual(tooLong(`describe('x', () => ${long});\nit('y', async () => ${long});`, true), []);
    assert.deepEqual(tooLong(`describe('x', () => ${long});`), ['']);
  });
});

describe('the dependencies', () => {
  const manifest = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const explained = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)];

  it('are each used', () => {
    const used = new Set(
      sources
        .filter((file) => !file.startsWith('test/'))
        .flatMap((file) => importsOf(read(file)).map((specifier) => targetOf(file, specifier))),
    );
    assert.deepEqual(
      Object.keys(manifest.dependencies).filter((name) => !used.has(`npm:${name}`)),
      [],
    );
  });

  it('are each explained in docs/dependencies.md, in one sentence', () => {
    const named = explained.map(([, name]) => name).sort();
    assert.deepEqual(named, Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort());
    for (const [, name, why = ''] of explained) assert.match(why, /^[^.]*(?:\.\w[^.]*)*\.$/, name);
  });
});

describe('what is tracked', () => {
  it('names no registry and no path of the machine that it was written on', () => {
    // The words are split, so that this file doesn't contain what it searches for.
    const machine = new RegExp(
      [
        `/${'work'}/`,
        `/${'root'}/`,
        `/${'home'}/(?!nonroot\\b)`,
        `"${'resolved'}":`,
        `https?://(?!registry\\.k8s\\.io)[\\w.-]*(?:registry|artifactory|nexus|goproxy|proxy)\\.[\\w.-]+/`,
      ].join('|'),
    );
    const wrong = files.flatMap((file) => {
      const text = read(file);
      const at = text.search(machine);
      return at < 0
        ? []
        : [`${file}:${text.slice(0, at).split('\n').length}: ${text.slice(at, at + 60).split('\n')[0]}`];
    });
    assert.deepEqual(wrong, []);
  });
});
