// Builds dist/kubectl-restorehooks (the plugin), dist/runner.cjs (the image's entry) and dist/lambda.cjs, one file each,
// the plugin's second name, and dist/bundled.json, which says what of other people is in each file.
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { build, transform } from 'esbuild';
import { VERSION } from './shared/core/version.ts';

process.chdir(import.meta.dirname);
const { version, engines } = JSON.parse(readFileSync('package.json', 'utf8'));
if (version !== VERSION) throw new Error(`package.json says ${version}, shared/core/version.ts ${VERSION}`);
const [major, minor] = /^>=(\d+)\.(\d+)$/.exec(engines.node).slice(1).map(Number);

const CLIENT = '@kubernetes/client-node';

/** Of the client library we use KubeConfig. This lets esbuild drop the generated API beside it, which would be 5 MiB. */
const onlyKubeConfig = {
  name: 'only-kube-config',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
      resolveDir.includes(`/${CLIENT}/dist`) ? { path: join(resolveDir, path), sideEffects: false } : undefined,
    );
  },
};

/** The script of detached commands, which sources read from its file. */
const scriptAsText = {
  name: 'script-as-text',
  setup({ onLoad }) {
    onLoad({ filter: /detached-script\.ts$/ }, ({ path }) => {
      const text = readFileSync(join(dirname(path), 'detached.sh'), 'utf8');
      return { contents: `export const detachedScript = ${JSON.stringify(text)};` };
    });
  },
};

const printed = { platform: 'node', target: `node${major}`, minify: true };
// KubeConfig needs undici (1 MiB) only for functions that make connections, and we make our own.
const alias = { [CLIENT]: `${CLIENT}/dist/config.js`, undici: 'node:http' };
// yargs looks for translations beside its own file, ws for a faster package: there are none.
const define = { 'import.meta.url': '"file:///kubectl-restorehooks"', 'process.env.WS_NO_BUFFER_UTIL': '"1"' };
// Functions keep their names: a stack trace in a bug report must say something.
const bundled = {
  ...printed,
  keepNames: true,
  alias,
  define,
  bundle: true,
  metafile: true,
  write: false,
  logLevel: 'warning',
};

/** A bundle of ours, for a test that looks into one in another way. */
export const bundleOptions = { ...bundled, plugins: [onlyKubeConfig] };

/*
 * `process.exit` waits for the threads that compile with Maglev. One of them may wait for a garbage collection, which only
 * the main thread can begin: then the process never ends (nodejs/node 54918). It was seen in `apply`; the smaller the heap,
 * the likelier it is. Without Maglev, what runs long is compiled by Turbofan.
 */
const withoutMaglev = "process.getBuiltinModule('node:v8').setFlagsFromString('--no-maglev');";

/** Stands first in each file, in words that the oldest Node understands. It is no bug of ours, so not exit code 1 (R7.20). */
const nodeCheck = (name) => `(function () {
  var version = process.versions.node.split('.');
  if (+version[0] > ${major} || (+version[0] === ${major} && +version[1] >= ${minor})) return;
  process.stderr.write('error: ${name} needs Node.js ${major}.${minor} or newer, this is ' + process.version + '\\n${name === PLUGIN ? WITHOUT_NODE : ''}');
  process.exit(2);
})();
`;

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;

/** The folders of the packages that have something in a bundle: `npm run release` lists them. */
function packagesIn({ outputs }) {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? (PACKAGE.exec(path) ?? []) : []));
  return [...new Set(folders)].sort();
}

const RUNNER = 'the runner of kubectl restorehooks';
const PLUGIN = 'kubectl restorehooks';
const WITHOUT_NODE = 'hint: take a newer one, or on Linux the archive of the plugin that needs none\\n';

/** Lambda's: it knows its user and takes no proxy, which is all that the client library is there for. */
async function lambdaFile() {
  const { outputFiles, metafile } = await build({
    ...bundled,
    entryPoints: ['runner/lambda.ts'],
    external: [CLIENT],
    plugins: [onlyKubeConfig, scriptAsText],
    format: 'cjs',
    banner: { js: nodeCheck(RUNNER) },
  });
  return { text: outputFiles[0].text, packages: packagesIn(metafile) };
}

/**
 * esbuild splits a program at each `import()`. The file holds every piece as text, and Node compiles a piece when it is
 * first asked for: docs/adr/0003-one-file-in-pieces.md. The plugin's file has no ending, so a package.json in a folder
 * above it decides whether it is CommonJS or an ES module; it runs as both.
 */
async function inPieces(entry, name, plugins = []) {
  const split = { entryPoints: [entry], format: 'esm', splitting: true, outdir: '.' };
  const { outputFiles, metafile } = await build({
    ...bundled,
    ...split,
    plugins: [...plugins, onlyKubeConfig, scriptAsText],
  });
  const asCommonJs = { ...printed, format: 'cjs', supported: { 'dynamic-import': false } };
  const named = async ({ path, text }) => [`./${basename(path)}`, (await transform(text, asCommonJs)).code];
  const pieces = Object.fromEntries(await Promise.all(outputFiles.map(named)));
  const text = `#!/usr/bin/env node
${nodeCheck(name)}
${withoutMaglev}
const { compileFunction } = process.getBuiltinModule('node:vm');
const modules = {};
function load(name) {
  if (!(name in pieces)) return process.getBuiltinModule(name);
  if (modules[name]) return modules[name].exports;
  const module = (modules[name] = { exports: {} });
  const filename = process.argv[1] + name.slice(1);
  compileFunction(pieces[name], ['exports', 'require', 'module'], { filename })(module.exports, load, module);
  return module.exports;
}
const pieces = ${JSON.stringify(pieces, null, 1)};
load('./${basename(entry, '.ts')}.js');
`;
  return { text, packages: packagesIn(metafile) };
}

export const runnerFile = async (entry, plugins) => (await inPieces(entry, RUNNER, plugins)).text;

const bundles = {
  'kubectl-restorehooks': await inPieces('plugin/main.ts', PLUGIN),
  'runner.cjs': await inPieces('runner/job.ts', RUNNER),
  'lambda.cjs': await lambdaFile(),
};
const each = (value) => Object.fromEntries(Object.entries(bundles).map(([name, made]) => [name, value(made)]));
const files = {
  ...each(({ text }) => text),
  'bundled.json': `${JSON.stringify(
    each(({ packages }) => packages),
    null,
    2,
  )}\n`,
  // On a PATH the plugin has no package.json beside it, so Node takes it for CommonJS. This makes it the same here.
  'package.json': '{ "type": "commonjs" }\n',
};
mkdirSync('dist', { recursive: true });
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join('dist', name), text);
  chmodSync(join('dist', name), name.includes('.') ? 0o644 : 0o755); // whatever the umask is
  process.stdout.write(`dist/${name.padEnd(21)} ${Math.ceil(Buffer.byteLength(text) / 1024)} KiB\n`);
}
// kubectl calls the plugin by this name to complete its command line: docs/install.md.
const second = join('dist', 'kubectl_complete-restorehooks');
rmSync(second, { force: true });
symlinkSync('kubectl-restorehooks', second);
